/** The configuration that needs no plugin of ours: in full, and whose a file is. */
import { expect, it } from "vitest";
import { parseConf } from "../../src/cni/conf.ts";
import { formatConflist, isOurConflist } from "../../src/cni/conflist.ts";
import { delegateConf } from "../../src/cni/delegate-conf.ts";

const PODS = {
  networks: ["10.244.0.0/16", "fd00:10:244::/48"],
  subnets: ["10.244.1.0/24", "fd00:10:244:1::/64"],
  mtu: 1430,
  ipMasq: false,
};

it("is a bridge and portmap, with the subnets of both families", () => {
  expect(JSON.parse(formatConflist(PODS))).toEqual({
    name: "cbr0",
    cniVersion: "1.0.0",
    disableCheck: true,
    poplin: expect.stringMatching(/written by poplin flanneld/),
    plugins: [
      {
        type: "bridge",
        hairpinMode: true,
        isDefaultGateway: true,
        isGateway: true,
        ipMasq: true,
        mtu: 1430,
        ipam: {
          type: "host-local",
          ranges: [[{ subnet: "10.244.1.0/24" }], [{ subnet: "fd00:10:244:1::/64" }]],
          routes: [{ dst: "10.244.0.0/16" }, { dst: "fd00:10:244::/48" }],
        },
      },
      { type: "portmap", capabilities: { portMappings: true } },
    ],
  });
});

it("is what flannel's plugin delegates for kube-flannel's configuration", () => {
  const flannel = {
    name: "cbr0",
    cniVersion: "1.0.0",
    delegate: { hairpinMode: true, isDefaultGateway: true },
  };
  const { name, cniVersion, plugins } = JSON.parse(formatConflist(PODS));
  expect({ name, cniVersion, ...plugins[0] }).toEqual(delegateConf(parseConf(JSON.stringify(flannel)), PODS));
});

it.each([
  ["one of ours", formatConflist({ ...PODS, mtu: 9000 }), true],
  ["one of ours without its line", formatConflist(PODS).replace(/^ {2}"poplin".*\n/m, ""), false],
  ["flannel's", '{"name":"cbr0","plugins":[{"type":"flannel"}]}', false],
  ["no JSON", '{"poplin":', false],
  ["nothing", "", false],
  ["no object", "null", false],
])("knows %s", (_what, text, ours) => {
  expect(isOurConflist(text)).toBe(ours);
});
