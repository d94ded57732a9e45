import { describe, expect, it } from 'vitest';
import { methodOf, splitHost, withoutSecrets } from './http-attributes.ts';

describe('what an HTTP span says', () => {
  it('is a method that is known, and _OTHER for what a caller invents', () => {
    expect(['GET', 'patch', 'BREW', undefined].map(methodOf)).toEqual(['GET', 'PATCH', '_OTHER', 'GET']);
  });

  it.each([
    ['example.org', { address: 'example.org' }],
    ['example.org:8080', { address: 'example.org', port: 8080 }],
    ['[::1]', { address: '[::1]' }],
    ['[::1]:8080', { address: '[::1]', port: 8080 }],
    ['example.org:nonsense', { address: 'example.org:nonsense' }],
  ])('takes %s apart', (host, parts) => {
    expect(splitHost(host)).toEqual(parts);
  });

  it.each([
    ['page=2&sort=asc', 'page=2&sort=asc'],
    ['token=abc', 'token=REDACTED'],
    ['page=2&access_token=abc&sort=asc', 'page=2&access_token=REDACTED&sort=asc'],
    ['X-Amz-Signature=abc&X-Amz-Credential=k', 'X-Amz-Signature=REDACTED&X-Amz-Credential=REDACTED'],
    ['userPassword=a%20b&apiKey=1&signature=2', 'userPassword=REDACTED&apiKey=REDACTED&signature=REDACTED'],
  ])('keeps the names and not the secrets of %s', (query, shown) => {
    expect(withoutSecrets(query)).toBe(shown);
  });
});
