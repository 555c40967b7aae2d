/** The page as it is built, in Debian's Chromium, from disk and without a network. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import {
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  chromium,
  type Page,
} from "playwright-core";
import { build } from "vite";

const CONFIG = fileURLToPath(new URL("../../src/web/vite.config.ts", import.meta.url));

export class PageStage {
  /** Where the page is. */
  readonly file: string;
  /** What the page has asked for that is not itself, and what has gone wrong in it. */
  readonly complaints: string[] = [];
  readonly #folder: string;
  readonly #browser: Browser;
  readonly #contexts: BrowserContext[] = [];

  private constructor(folder: string, browser: Browser) {
    this.#folder = folder;
    this.#browser = browser;
    this.file = join(folder, "index.html");
  }

  static async start(): Promise<PageStage> {
    const folder = mkdtempSync(join(tmpdir(), "poplin-page-"));
    await build({ configFile: CONFIG, logLevel: "error", build: { outDir: folder, emptyOutDir: false } });
    const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
    return new PageStage(folder, browser);
  }

  /** The page at a link, such as "#ping". */
  async open(link = "#ping", options: BrowserContextOptions = {}): Promise<Page> {
    const context = await this.#browser.newContext({ viewport: { width: 1440, height: 1000 }, ...options });
    this.#contexts.push(context);
    const page = await context.newPage();
    page.on("pageerror", (error) => this.complaints.push(String(error.stack)));
    page.on("console", (message) => this.complaints.push(message.text()));
    page.on("request", (request) => {
      if (!request.url().startsWith("file:")) this.complaints.push(`asked for ${request.url()}`);
    });
    await page.goto(pathToFileURL(this.file).href + link);
    await page.waitForSelector(".bytes button");
    return page;
  }

  /** After each test. */
  async closePages(): Promise<void> {
    for (const context of this.#contexts.splice(0)) await context.close();
  }

  async close(): Promise<void> {
    await this.#browser.close();
    rmSync(this.#folder, { recursive: true });
  }
}
