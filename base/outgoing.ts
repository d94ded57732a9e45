/**
 * Calls that leave this process for an address that somebody configured or, worse, sent (F36). Where a name leads to is looked at when
 * it is connected to, not before: a name that meant something harmless a moment ago may mean the metadata service of a cloud now.
 */
import { lookup as resolve } from 'node:dns';
import { request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import { DebugError } from './errors.ts';

export interface OutgoingOptions {
  method?: 'GET' | 'POST';
  headers?: Readonly<Record<string, string>>;
  body?: string;
  /** From the call to the last byte of the answer. Default 10 s. */
  timeoutMs?: number;
  /** Most of the answer that is read. Default 1 MiB. */
  bytesMax?: number;
  /** Whether addresses of this machine and of private networks may be called: only where the operator himself named the address. */
  privateAllowed?: boolean;
  signal?: AbortSignal;
}

export interface OutgoingAnswer {
  status: number;
  headers: IncomingMessage['headers'];
  body: Buffer;
}

/**
 * One request and its whole answer. Redirects are answers like any other: they are not followed.
 * @throws DebugError INVALID for an address that may not be called, UNAVAILABLE for one that does not answer in time, TOO_LARGE. None of
 * them tells what was answered.
 */
export async function callOut(address: string, options: OutgoingOptions = {}): Promise<OutgoingAnswer> {
  const { method = 'GET', headers, body, timeoutMs = 10_000, bytesMax = 1 << 20, privateAllowed = false } = options;
  const url = URL.parse(address);
  if (url === null || !['http:', 'https:'].includes(url.protocol)) throw refusal('only http and https are called');
  if (url.username !== '' || url.password !== '') throw refusal('credentials do not belong into an address');
  const host = url.hostname.replace(/^\[|\]$/g, '');
  // An address is not looked up: the socket would connect to it unasked.
  if (isIP(host) !== 0 && !mayCall(host, privateAllowed)) throw refusal(`${host} is not for us to call`);
  const signals = [AbortSignal.timeout(timeoutMs), ...(options.signal === undefined ? [] : [options.signal])];
  const call: RequestOptions = {
    method,
    headers: { ...headers, ...(body !== undefined && { 'content-length': Buffer.byteLength(body) }) },
    signal: AbortSignal.any(signals),
    lookup: guardedLookup(privateAllowed),
    // A connection that was kept could lead to where the name pointed before.
    agent: false,
  };
  return new Promise((done, failed) => {
    const request = (url.protocol === 'https:' ? httpsRequest : httpRequest)(url, call, (response) => {
      readBounded(response, bytesMax).then(
        (body) => done({ status: response.statusCode!, headers: response.headers, body }),
        failed,
      );
    });
    request.on('error', (error) => failed(asDebugError(error, url.host)));
    request.end(body);
  });
}

async function readBounded(response: IncomingMessage, bytesMax: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > bytesMax) throw new DebugError('TOO_LARGE', `the answer is larger than ${bytesMax} bytes`);
      chunks.push(chunk);
    }
  } catch (error) {
    throw asDebugError(error, 'the other side');
  } finally {
    response.destroy();
  }
  return Buffer.concat(chunks, size);
}

/** Resolves a name to the addresses that may be called, and the socket connects to those and no others. */
function guardedLookup(privateAllowed: boolean): LookupFunction {
  return (host, options, callback) => {
    resolve(host, { ...options, all: true }, (error, addresses) => {
      if (error !== null) return callback(error, []);
      const allowed = addresses.filter(({ address }) => mayCall(address, privateAllowed));
      if (allowed.length === 0) return callback(refusal(`${host} leads to where we do not call`), []);
      if (options.all === true) callback(null, allowed);
      else callback(null, allowed[0]!.address, allowed[0]!.family);
    });
  };
}

function mayCall(address: string, privateAllowed: boolean): boolean {
  const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
  return !NEVER.check(address, family) && (privateAllowed || !PRIVATE.check(address, family));
}

function refusal(message: string): DebugError {
  return new DebugError('INVALID', message);
}

function asDebugError(error: unknown, host: string): DebugError {
  if (error instanceof DebugError) return error;
  const { code, name } = error as NodeJS.ErrnoException;
  const what =
    name === 'TimeoutError' || name === 'AbortError' ? 'did not answer in time' : `cannot be reached (${code ?? name})`;
  return new DebugError('UNAVAILABLE', `${host} ${what}`, { cause: error });
}

/** Link-local, where clouds keep their credentials, and what is no host at all: nobody means these. */
const NEVER = blockList(
  ['169.254.0.0', 16],
  ['0.0.0.0', 8],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
  ['fe80::', 10],
  ['ff00::', 8],
  ['::', 128],
  ['fd00:ec2::254', 128], // the metadata service of AWS, a unique local address
  // Other ways to write an IPv4 address: translated, 6to4, Teredo.
  ['64:ff9b::', 96],
  ['2002::', 16],
  ['2001::', 32],
);

/** This machine, private and shared networks (RFC 6890). IPv4 in IPv6 is checked as what it is. */
const PRIVATE = blockList(
  ['127.0.0.0', 8],
  ['10.0.0.0', 8],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
  ['100.64.0.0', 10],
  ['192.0.0.0', 24],
  ['198.18.0.0', 15],
  ['::1', 128],
  ['fc00::', 7],
);

function blockList(...subnets: [network: string, prefix: number][]): BlockList {
  const list = new BlockList();
  for (const [network, prefix] of subnets) list.addSubnet(network, prefix, network.includes(':') ? 'ipv6' : 'ipv4');
  return list;
}
