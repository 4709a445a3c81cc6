import tailwindcss from "@tailwindcss/vite";
import { defineConfig } from "vitest/config";

// The server that `npm run dev` talks to.
const SERVER = "http://127.0.0.1:8000";

export default defineConfig({
  base: "./",
  plugins: [tailwindcss()],
  esbuild: { jsx: "automatic" },
  build: {
    outDir: "../src/vivavoce/web",
    emptyOutDir: true,
    // A file of its own for each worklet and picture: the page's policy allows no data: scripts.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: "es2022",
  },
  worker: { format: "es" },
  server: {
    host: "127.0.0.1",
    proxy: { "/v1": { target: SERVER, ws: true }, "/healthz": SERVER },
  },
  test: { environment: "node", include: ["src/**/*.test.ts"] },
});
