/** Every store there is, held to one contract. */
import { afterAll, beforeAll } from "vitest";
import { describeWith, optionalPackage, tool } from "../helpers/needs.ts";
import { EtcdServer } from "../stores/etcd/server.ts";
import { EtcdStage } from "../stores/etcd/stage.ts";
import { FileStage } from "../stores/file/stage.ts";
import { KubernetesStage } from "../stores/kubernetes/stage.ts";
import { storeContract } from "./store.contract.ts";

describeWith([], "file", () => {
  storeContract("a directory that goes and comes back", {
    subnets: "picked",
    make: (conf) => FileStage.make(conf, "nothing"),
  });
  storeContract("a share that is unmounted, and mounted again", {
    subnets: "picked",
    make: (conf) => FileStage.make(conf, "mount point"),
  });
});

describeWith([tool("etcd"), tool("etcdctl"), optionalPackage("etcd3")], "etcd", () => {
  let server: EtcdServer;
  beforeAll(async () => {
    server = await EtcdServer.start();
  });
  afterAll(() => server.close());
  storeContract("an etcd whose way is cut", {
    subnets: "picked",
    make: (conf) => EtcdStage.make(server, conf),
  });
});

describeWith([tool("openssl")], "kubernetes", () => {
  storeContract("an API server", { subnets: "assigned", make: (conf) => KubernetesStage.make(conf) });
});
