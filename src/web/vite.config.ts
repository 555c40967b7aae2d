/**
 * Builds the page into one file, dist/web/index.html, which works from disk: a browser loads no module from there, so script
 * and style stand in the page itself.
 */
import { defineConfig, type Plugin } from "vite";

/** Puts what was built into the page, and leaves nothing else. */
function inOneFile(): Plugin {
  return {
    name: "in-one-file",
    enforce: "post",
    generateBundle(_options, bundle) {
      const page = Object.values(bundle).find(({ fileName }) => fileName.endsWith(".html"));
      if (page?.type !== "asset") throw new Error("there is no page");
      let html = String(page.source);
      for (const [name, file] of Object.entries(bundle)) {
        if (file === page) continue;
        const text = file.type === "chunk" ? file.code : String(file.source);
        const tag =
          file.type === "chunk"
            ? `<script type="module">${text.replaceAll("</script", "<\\/script")}</script>`
            : `<style>${text}</style>`;
        html = html.replace(
          new RegExp(
            `<(?:script|link)[^>]*${name.replace(/[.*+?^$()[\]{}|\\]/g, "\\$&")}[^>]*>(?:</script>)?`,
          ),
          () => (file.type === "chunk" ? "" : tag),
        );
        if (file.type === "chunk") html = html.replace("</body>", () => `${tag}</body>`);
        delete bundle[name];
      }
      page.source = html;
    },
  };
}

export default defineConfig({
  root: import.meta.dirname,
  base: "./",
  plugins: [inOneFile()],
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    outDir: "../../dist/web",
    emptyOutDir: true,
    target: "es2022",
    modulePreload: false,
    assetsInlineLimit: Number.POSITIVE_INFINITY,
    cssCodeSplit: false,
  },
});
