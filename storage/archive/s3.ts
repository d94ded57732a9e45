/** The archive in a bucket of Amazon S3 or anything that speaks like it. An object of S3 is there whole or not at all by itself. */
import { createReadStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import type { Objects, S3Settings } from './objects.ts';

/**
 * Credentials come from where every AWS client looks: environment, profile, container, instance.
 * @param url `s3://bucket` or `s3://bucket/prefix`
 */
export function createS3Objects(url: string, { endpoint, region }: S3Settings): Objects {
  const { hostname: Bucket, pathname } = new URL(url);
  const prefix = pathname.replace(/^\/+|\/+$/g, '').replace(/(.)$/, '$1/');
  const client = new S3Client({
    ...(endpoint !== undefined && { endpoint }),
    // Servers of one's own seldom have a name for each bucket, or a region.
    ...(endpoint !== undefined && { forcePathStyle: true }),
    ...((region ?? endpoint) !== undefined && { region: region ?? 'us-east-1' }),
    // Our own checksums are in the manifest; not every server knows the ones that the client would add.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    maxAttempts: 4,
  });
  const keyOf = (name: string) => prefix + name;
  const marked = new Set<string>();

  /** Some servers (s3rver) list a folder only where an object lies in it directly: then a tenant, who has nothing but days, would not be found. */
  async function markFolders(name: string): Promise<void> {
    for (const folder of foldersAbove(name).filter((one) => !marked.has(one))) {
      await client.send(
        new PutObjectCommand({ Bucket, Key: keyOf(`${folder}/${MARK}`), Body: MARK, ContentLength: MARK.length }),
      );
      marked.add(folder);
    }
  }

  return {
    get scratch(): string {
      throw new Error('a bucket has no scratch folder of its own');
    },
    async open() {
      await client.send(new HeadBucketCommand({ Bucket }));
    },
    async put(name, content) {
      const isFile = !(content instanceof Uint8Array);
      const put = new PutObjectCommand({
        Bucket,
        Key: keyOf(name),
        Body: isFile ? createReadStream(content.file) : content,
        ContentLength: isFile ? content.bytes : content.length,
      });
      await Promise.all([client.send(put), markFolders(name)]);
      if (isFile) await rm(content.file, { force: true });
    },
    get: (name, places) =>
      Promise.all(
        places.map(async ({ offset, length }) => {
          if (length === 0) return new Uint8Array();
          const Range = `bytes=${offset}-${offset + length - 1}`;
          const { Body } = await client.send(new GetObjectCommand({ Bucket, Key: keyOf(name), Range }));
          const bytes = await Body!.transformToByteArray();
          if (bytes.length < length)
            throw new Error(`${name} ends at ${offset + bytes.length}, before ${offset + length}`);
          return bytes;
        }),
      ),
    async *read(name) {
      const { Body } = await client.send(new GetObjectCommand({ Bucket, Key: keyOf(name) }));
      yield* Body as AsyncIterable<Uint8Array>;
    },
    async size(name) {
      try {
        return (await client.send(new HeadObjectCommand({ Bucket, Key: keyOf(name) }))).ContentLength ?? null;
      } catch (error) {
        if ((error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode === 404) return null;
        throw error;
      }
    },
    async list(folder) {
      const Prefix = keyOf(folder === '' ? '' : `${folder}/`);
      const [files, folders]: [string[], string[]] = [[], []];
      let ContinuationToken: string | undefined;
      do {
        const page = await client.send(
          new ListObjectsV2Command({ Bucket, Prefix, Delimiter: '/', ...(ContinuationToken && { ContinuationToken }) }),
        );
        for (const { Key } of page.Contents ?? []) {
          if (!Key!.endsWith(`/${MARK}`)) files.push(Key!.slice(Prefix.length));
        }
        for (const { Prefix: inner } of page.CommonPrefixes ?? []) folders.push(inner!.slice(Prefix.length, -1));
        ContinuationToken = page.NextContinuationToken;
      } while (ContinuationToken !== undefined);
      return { files, folders };
    },
    stamp: async () => null,
    async delete(name) {
      await client.send(new DeleteObjectCommand({ Bucket, Key: keyOf(name) }));
    },
  };
}

const MARK = '.folder';

/** Those that hold a folder and not the file itself. */
function foldersAbove(name: string): string[] {
  const parts = name.split('/').slice(0, -2);
  return parts.map((_, i) => parts.slice(0, i + 1).join('/'));
}
