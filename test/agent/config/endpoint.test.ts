import { expect, it } from "vitest";
import { endpoint } from "../../../src/agent/config/addresses.ts";
import { settingOf } from "../../../src/agent/config/schema.ts";

it.each([
  ["127.0.0.1:9472", "127.0.0.1:9472"],
  [" 0.0.0.0:09472 ", "0.0.0.0:9472"],
  ["[::1]:80", "[::1]:80"],
  ["[2001:DB8:0::1]:65535", "[2001:db8::1]:65535"],
])("healthAddress %j is %s", (text, value) => {
  expect(endpoint(text)).toEqual({ ok: true, value });
});

it.each([
  ["9472", /no address with a port/],
  [9472, /no address with a port/],
  [":9472", /""/],
  ["127.0.0.1", /no address with a port/],
  ["::1:9472", /no address with a port/],
  ["[127.0.0.1]:9472", /no address with a port/],
  ["localhost:9472", /localhost/],
  ["127.0.0.1:0", /no TCP port/],
  ["127.0.0.1:65536", /no TCP port/],
  ["", /no address with a port/],
])("healthAddress %j is a mistake", (raw, why) => {
  expect(endpoint(raw)).toMatchObject({ ok: false, message: expect.stringMatching(why) });
});

it("is off unless somebody says otherwise", () => {
  expect(settingOf("healthAddress")).toMatchObject({
    fallback: "off",
    reload: "restart",
    env: "POPLIN_HEALTH_ADDRESS",
  });
  expect(settingOf("healthAddress").read(false)).toEqual({ ok: true, value: "off" });
});
