// A server of HTTP/2 and HTTP/1.1: outside_http2.js DIRECTORY PORT. A body comes back, else the path; `/echo` is
// an upgrade that comes back byte by byte. Notes what arrives in DIRECTORY/log, and ends when stdin does.
'use strict';
const fs = require('fs');
const http2 = require('http2');
const [directory, port] = process.argv.slice(2);

const note = line => fs.appendFileSync(`${directory}/log`, line + '\n');
const server = http2.createSecureServer({
  cert: fs.readFileSync(`${directory}/cert.pem`), key: fs.readFileSync(`${directory}/key.pem`), allowHTTP1: true,
});
server.on('request', (request, response) => {
  const name = request.httpVersion === '2.0' ? 'h2' : 'h1';
  note(`${name} ${request.headers[':authority'] || request.headers.host} ${request.method} ${request.url}`);
  let size = 0;
  response.setHeader('x-key', String(request.headers['x-key']));
  request.on('data', piece => { size += piece.length; response.write(piece); });
  request.on('end', () => response.end(size === 0 ? request.url : ''));
});
server.on('upgrade', (request, socket) => {
  note(`upgrade ${request.headers.host} ${request.method} ${request.url}`);
  socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
  socket.pipe(socket);
});
server.listen(Number(port), '0.0.0.0', () => console.log('ready'));
process.stdin.resume().on('end', () => process.exit(0));
