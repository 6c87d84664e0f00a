// A server on loopback that nothing may ever talk to: whatever reaches it left the window. Counts connections, not only
// requests, so that a bare preconnect shows.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Canary {
  /** `127.0.0.1:PORT`, what CANARY stands for in the payloads. */
  host: string;
  connections: number;
  /** The first part of each asked path: the payload's name. */
  names: Set<string>;
  close(): Promise<void>;
}

export async function openCanary(): Promise<Canary> {
  const server = createServer((request, response) => {
    canary.names.add((request.url ?? '').split(/[/?#]/)[1] ?? '');
    response.writeHead(200, { 'content-type': 'text/plain', 'access-control-allow-origin': '*' });
    response.end();
  });
  const canary: Canary = {
    host: '',
    connections: 0,
    names: new Set(),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  server.on('connection', () => (canary.connections += 1));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  canary.host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return canary;
}

/** An empty page without any policy: what our renderer and our policy are compared with. */
export async function openBarePage(): Promise<{ url: string; close(): Promise<void> }> {
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/html' });
    response.end('<!doctype html><title>bare</title><body></body>');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
