/** Dark and light: as the system has it, until somebody chooses. */
import { useState } from "preact/hooks";

const KEY = "poplin-theme";

function remembered(): string | null {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null; // a browser that keeps nothing for pages from disk
  }
}

function remember(theme: string): void {
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // then only until the page is closed
  }
}

export function ThemeButton() {
  const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  const [theme, setTheme] = useState(remembered() ?? system);
  document.documentElement.dataset.theme = theme;
  const other = theme === "dark" ? "light" : "dark";
  const change = (): void => {
    remember(other);
    setTheme(other);
  };
  return (
    <button type="button" class="theme" onClick={change}>
      {other}
    </button>
  );
}
