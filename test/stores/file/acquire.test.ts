/** Choosing a lease where the lock did not hold: its holder was stopped for so long that another took it for dead. */
import { writeFile } from "node:fs/promises";
import { afterEach, beforeEach, expect, it } from "vitest";
import { formatAttributes } from "../../../src/control/flannel/node-lease.ts";
import { acquireLease } from "../../../src/stores/file/acquire.ts";
import { Directory } from "../../../src/stores/file/directory.ts";
import { attributesOf, confOf } from "../../contract/store-world.ts";
import { FileStage } from "./stage.ts";

const CONF =
  '{"Network": "10.244.0.0/22", "SubnetLen": 24, "EnableIPv6": true, "IPv6Network": "fd00::/48", "Backend": {"Type": "vxlan"}}';
const REQUEST = {
  conf: confOf(CONF, "picked"),
  attributes: attributesOf(1, true),
  previous: { ipv4: "10.244.1.0/24", ipv6: "fd00:0:0:1::/64" },
};
const RIVAL = formatAttributes(attributesOf(2, true));

let stage: FileStage;

beforeEach(async () => {
  stage = await FileStage.make(CONF);
});

afterEach(() => stage.close());

/** A directory in which a rival makes a file each time just before or after we make ours, for as long as it has any. */
function rivalled(when: "before" | "after", keys: string[]): Directory {
  const directory = new Directory(stage.directory);
  const create = directory.create.bind(directory);
  const rival = async (): Promise<void> => {
    const key = keys.shift();
    if (key !== undefined) await writeFile(stage.path(key), RIVAL);
  };
  directory.create = async (path, text) => {
    if (when === "before") await rival();
    const created = await create(path, text);
    if (when === "after") await rival();
    return created;
  };
  return directory;
}

it("takes another subnet where a rival made the same file first, and leaves the rival's alone", async () => {
  const key = "10.244.1.0-24&fd00:0:0:1::-64";
  const directory = rivalled("before", [key]);
  const lease = await acquireLease(directory, REQUEST, null, Date.now());
  expect(lease.subnets.ipv4).not.toBe("10.244.1.0/24");
  expect((await directory.names()).sort()).toEqual([key, lease.key].sort());
});

it("takes another where a rival made a file with one of its subnets in the name, after it had chosen", async () => {
  const keys = ["10.244.1.0-24&fd00:0:0:9::-64", "10.244.9.0-24&fd00:0:0:1::-64"];
  const directory = rivalled("after", [...keys]);
  const lease = await acquireLease(directory, REQUEST, null, Date.now());
  expect(lease.subnets.ipv4).not.toBe("10.244.1.0/24");
  expect(await directory.names()).toContain(lease.key);
  expect(await directory.names()).not.toContain("10.244.1.0-24&fd00:0:0:1::-64");
});

it("gives up, with a word to try again, where rivals are faster each time", async () => {
  const directory = new Directory(stage.directory);
  directory.create = async () => ({ made: false, now: 0 });
  await expect(acquireLease(directory, REQUEST, null, Date.now())).rejects.toMatchObject({
    code: "STORE_REFUSED",
    passing: true,
  });
  expect(await directory.names()).toEqual([]);
});
