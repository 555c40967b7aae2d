/** Files of the bench: plain JavaScript without declarations, so by name and at run time. */
export function load(file: string) {
  return import(new URL(`../../bench/${file}`, import.meta.url).href);
}
