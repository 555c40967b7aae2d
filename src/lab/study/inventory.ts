/** What is there in a lab of the study: written when it stands, for the commands that come later. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Lab } from "../lab.ts";
import { folderOf } from "../registry.ts";
import type { MachineInit } from "./machine.ts";
import type { StoreKind } from "./store.ts";

export interface NodeEntry {
  readonly name: string;
  /** Underlay address. */
  readonly address: string;
  readonly subnet: string;
  readonly init: MachineInit;
}

export interface PodEntry {
  readonly name: string;
  readonly node: string;
  /** CIDR: "10.244.1.2/24". */
  readonly address: string;
}

export interface Inventory {
  readonly store: StoreKind;
  readonly nodes: readonly NodeEntry[];
  readonly pods: readonly PodEntry[];
}

const FILE = "study.json";

export function writeInventory(lab: Lab, inventory: Inventory): void {
  writeFileSync(lab.file(FILE), JSON.stringify(inventory), { mode: 0o600 });
}

/** @param id of the lab. @returns null while it is being built */
export function readInventory(id: string): Inventory | null {
  try {
    return JSON.parse(readFileSync(join(folderOf(id), FILE), "utf8")) as Inventory;
  } catch {
    return null;
  }
}
