// Gives `vite preview` the policy the product runs under, so that tests see what people see.
// What does not belong here: the policy of the desktop window itself (tauri.conf.json) and of `bwana serve`.

const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; " +
  "connect-src 'self'; frame-src 'none'; object-src 'none'; base-uri 'none'; form-action 'none'";

/** @returns {import('vite').Plugin} */
export function serveCsp() {
  return {
    name: 'bwana-csp',
    configurePreviewServer(server) {
      server.middlewares.use((_request, response, next) => {
        response.setHeader('Content-Security-Policy', POLICY);
        response.setHeader('X-Content-Type-Options', 'nosniff');
        next();
      });
    },
  };
}
