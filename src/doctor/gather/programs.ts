/** Which programs there are. */
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/** @param path folders, as in PATH */
export function programExists(name: string, path: string): boolean {
  return path.split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return folder !== "";
    } catch {
      return false;
    }
  });
}
