/** The pages that machines ask a running agent for, over its socket: the files of a lab are everybody's. */
import { request } from "node:http";

export interface Answer {
  readonly status: number;
  readonly text: string;
}

/** @returns status and text; status 0 where nobody listens */
export function ask(socketPath: string, path: string): Promise<Answer> {
  return new Promise((resolve) => {
    const asked = request({ socketPath, path, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (part: string) => {
        text += part;
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
      response.on("error", () => resolve({ status: 0, text: "" }));
    });
    asked.on("error", ({ message }) => resolve({ status: 0, text: message }));
    asked.end();
  });
}
