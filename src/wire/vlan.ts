/**
 * The 802.1Q tag. Its first two bytes, the tag's own EtherType 0x8100 (0x88a8 for a service tag), are read as the
 * EtherType of the header before; this table is the two that follow them, and the EtherType after those.
 */
import type { HeaderTable } from "./field.ts";

export const VLAN: HeaderTable = {
  name: "vlan",
  title: "802.1Q tag",
  kind: "header",
  length: 4,
  fields: [
    {
      name: "priority",
      title: "priority (PCP)",
      at: 0,
      width: 3,
      format: "decimal",
      short: "class of service",
      meaning:
        "Priority code point, 0 to 7: which queue the frame waits in. 1 is the lowest, then 0, 2, up to 7.",
      why: "Voice must not wait behind a backup.",
      source: "IEEE 802.1Q clause 9.6",
      ifWrong: "The frame waits in the wrong queue: late under load, or in the way of others.",
    },
    {
      name: "dropEligible",
      title: "drop eligible",
      at: 3,
      width: 1,
      format: "flag",
      short: "may be dropped first",
      meaning: "Set: under congestion this frame goes before those that have the bit clear.",
      why: "A policer can mark what exceeds a contract instead of dropping it at once.",
      source: "IEEE 802.1Q clause 9.6",
      ifWrong: "Frames that should survive congestion are lost first.",
    },
    {
      name: "vlanId",
      title: "VLAN id",
      at: 4,
      width: 12,
      format: "decimal",
      short: "which virtual LAN",
      meaning: "The virtual LAN, 1 to 4094. 0 says priority only, no VLAN; 4095 is reserved.",
      why: "One cable carries several LANs that must not mix. Its 12 bits are why VXLAN has 24.",
      source: "IEEE 802.1Q clause 9.6",
      ifWrong: "The frame comes out in somebody else's LAN, or at a port that is not a member and drops it.",
    },
    {
      name: "etherType",
      title: "EtherType",
      at: 16,
      width: 16,
      format: "etherType",
      short: "what follows",
      meaning:
        "The protocol after the tag, by the same numbers as in the Ethernet header: another tag is possible.",
      why: "The tag took the place of the frame's EtherType and moved it back by four bytes.",
      source: "IEEE 802.3 clause 3.2.6",
      ifWrong: "The payload is handed to the wrong protocol, or to none.",
      usual: 0x0800,
    },
  ],
};
