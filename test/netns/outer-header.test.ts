/**
 * The outer header, held against the kernel's VXLAN with the same options: TOS, TTL and DF of what leaves, and what
 * becomes of congestion marks on the way in and out. IPv4 and IPv6 inside, over IPv4 and over IPv6.
 *
 *   node-b (batch), node-d (dgram), node-r (raw), node-k (the kernel) ── router ── node-x
 *
 * node-x is another kernel node with default options: what goes to it is captured at the router, where every packet
 * has lost one hop; and its host sends what no VTEP would, with any pair of inner and outer ECN, to the other four.
 */
import { afterAll, beforeAll, expect, it } from "vitest";
import { Cluster, type NodeSpec } from "../../src/lab/cluster.ts";
import { type LabNode, VXLAN_PORT } from "../../src/lab/node.ts";
import { CE, ECN_MASK, ECT_0, ECT_1, NOT_ECT } from "../../src/wire/ecn.ts";
import { describeWith, lab, optionalPackage, tool } from "../helpers/needs.ts";
import { tshark } from "../helpers/tshark.ts";
import { captured } from "./capture.ts";
import { type EcnPair, ecnPair } from "./ecn-pairs.ts";
import { arrivals, datagrams, type Family, inject, podOf, serve } from "./pods.ts";
