{
  "targets": [
    {
      "target_name": "poplin_shim",
      "sources": [
        "src/module.c",
        "src/args.c",
        "src/tap.c",
        "src/link.c",
        "src/udp.c",
        "src/multicast.c",
        "src/batch.c",
        "src/message.c",
        "src/checksum.c",
        "src/sum.c",
        "src/wait.c",
        "src/watch.c",
        "src/epoll.c",
        "src/unix.c",
        "src/netlink.c",
        "src/packet.c",
        "src/path.c",
        "src/local.c"
      ],
      "defines": ["NAPI_VERSION=8", "_GNU_SOURCE"],
      "cflags!": ["-O3"],
      "cflags": ["-O2", "-Wall", "-Wextra", "-fvisibility=hidden"],
      "cflags_c": ["-std=c11"],
      "conditions": [
        ["OS!='linux'", { "type": "none", "sources=": [] }]
      ]
    }
  ]
}
