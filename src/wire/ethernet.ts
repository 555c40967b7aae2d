/** Ethernet II, as a TAP hands frames over: no preamble, no frame check sequence. */
import type { HeaderTable } from "./field.ts";

export const ETHERNET: HeaderTable = {
  name: "ethernet",
  title: "Ethernet",
  kind: "header",
  length: 14,
  fields: [
    {
      name: "destination",
      title: "destination",
      at: 0,
      width: 48,
      format: "mac",
      short: "who takes the frame",
      meaning:
        "The MAC address of the station that shall take this frame. If the last bit of the first byte is 1, it is a group: all stations for ff:ff:ff:ff:ff:ff.",
      why: "A link is shared. Coming first, the address lets a switch choose the port before the rest has arrived.",
      source: "IEEE 802.3 clause 3.2.4",
      ifWrong:
        "The station that gets it sees that the frame is for another host and drops it without a word; in Linux it becomes PACKET_OTHERHOST.",
    },
    {
      name: "source",
      title: "source",
      at: 48,
      width: 48,
      format: "mac",
      short: "who sent the frame",
      meaning: "The MAC address of the sending station; never a group.",
      why: "Bridges and VTEPs learn from it where a station is, so that answers need not be flooded.",
      source: "IEEE 802.3 clause 3.2.5",
      ifWrong:
        "Bridges learn a wrong place for that address, and frames for its owner go astray until the entry is corrected or ages out.",
    },
    {
      name: "etherType",
      title: "EtherType",
      at: 96,
      width: 16,
      format: "etherType",
      short: "what follows",
      meaning:
        "From 0x0600 on, the protocol of the payload: 0x0800 IPv4, 0x86dd IPv6, 0x8100 an 802.1Q tag. Up to 1500, the length of an IEEE 802.3 payload.",
      why: "Many protocols share one link, and the receiver must know whose turn it is.",
      source: "IEEE 802.3 clause 3.2.6",
      ifWrong: "The payload is handed to the wrong protocol, or to none, and dropped there.",
      usual: 0x0800,
    },
  ],
};
