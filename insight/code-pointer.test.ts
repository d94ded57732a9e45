import { describe, expect, test } from 'vitest';
import { errorLog } from '../test/support/telemetry.ts';
import { codeOf, codePointersOf } from './code-pointer.ts';

const at = (stack: string) => {
  const [first] = codePointersOf(errorLog({ ms: 0, by: 'api', data: { 'exception.stacktrace': stack } }));
  return first === undefined ? null : `${first.file}:${first.line} ${first.function}`;
};

describe('the first frame of its own code', () => {
  test('Node', () => {
    expect(
      at(`TypeError: Cannot read properties of undefined (reading 'id')
    at JSON.parse (<anonymous>)
    at Query.run (/app/node_modules/pg/lib/query.js:12:3)
    at async reserve (file:///app/src/stock.ts:41:17)
    at process.processTicksAndRejections (node:internal/process/task_queues:105:5)`),
    ).toBe('/app/src/stock.ts:41 reserve');
    expect(at('Error: x\n    at /app/server.js:7:9')).toBe('/app/server.js:7 null');
  });

  test('Python, the innermost last, and the cause where one was raised from another', () => {
    const trace = (file: string, line: number, name: string, more = '') =>
      `Traceback (most recent call last):\n  File "/app/main.py", line 3, in run\n    go()\n  File "${file}", line ${line}, in ${name}\n    x\n${more}KeyError: 'sku'`;
    expect(
      at(trace('/app/stock.py', 9, 'reserve', '  File "/usr/lib/python3.12/json/decoder.py", line 1, in decode\n')),
    ).toBe('/app/stock.py:9 reserve');
    const chained = `${trace('/app/db.py', 5, 'read')}\n\nThe above exception was the direct cause of the following exception:\n\n${trace('/app/api.py', 8, 'get')}`;
    expect(at(chained)).toBe('/app/db.py:5 read');
  });

  test('Java, of the innermost cause, with its package as folders', () => {
    expect(
      at(`com.acme.orders.OrderException: cannot place
\tat com.acme.orders.OrderService.place(OrderService.java:88)
\tat org.springframework.web.Dispatcher.run(Dispatcher.java:3)
Caused by: java.lang.NullPointerException: sku
\tat java.base/java.util.Objects.requireNonNull(Objects.java:233)
\tat com.acme.stock.Shelf$Row.take(Shelf.java:17)
\t... 12 more`),
    ).toBe('com/acme/stock/Shelf.java:17 com.acme.stock.Shelf$Row.take');
  });

  test('Go, with the function of the line above', () => {
    expect(
      at(`goroutine 1 [running]:
runtime/debug.Stack()
\t/usr/local/go/src/runtime/debug/stack.go:24 +0x5e
main.(*Shelf).Take(0xc000012345)
\t/app/shelf.go:42 +0x1d`),
    ).toBe('/app/shelf.go:42 main.(*Shelf).Take');
  });

  test('.NET, Rust, Ruby, PHP', () => {
    expect(
      at(`System.InvalidOperationException: empty
   at System.Linq.Enumerable.First(IEnumerable source)
   at Acme.Stock.Shelf.Take(String sku) in /app/Stock/Shelf.cs:line 31`),
    ).toBe('/app/Stock/Shelf.cs:31 Acme.Stock.Shelf.Take');
    expect(at('   0: acme::take\n             at ./src/shelf.rs:12:9')).toBe('./src/shelf.rs:12 null');
    expect(at("app/shelf.rb:7:in `take'")).toBe('app/shelf.rb:7 take');
    expect(at('#0 /app/src/Shelf.php(12): Acme\\Shelf->take()')).toBe('/app/src/Shelf.php:12 Acme\\Shelf->take');
  });
});

test('code attributes, old names and new; a line that is none is left out', () => {
  const told = (data: Record<string, string | number>) => codePointersOf(errorLog({ ms: 0, by: 'api', data }));
  expect(told({ 'code.file.path': 'src/a.ts', 'code.line.number': 7, 'code.function.name': 'run' })).toEqual([
    { file: 'src/a.ts', line: 7, function: 'run' },
  ]);
  expect(
    told({ 'code.filepath': 'A.java', 'code.lineno': 'x', 'code.namespace': 'com.A', 'code.function': 'run' }),
  ).toEqual([{ file: 'A.java', line: null, function: 'com.A.run' }]);
  expect(told({ 'code.file.path': '/app/node_modules/x/index.js' })).toEqual([]);
});

test('nothing to point at, and stacks that are not meant to be read, end at once', { timeout: 2000 }, () => {
  expect(codeOf([errorLog({ ms: 0, by: 'api' })])).toEqual({ numbers: {}, suggestions: [] });
  for (const unit of ['at a(', ' at b (c:', 'File "', '@:1', '(((', 'x.go:1 ', 'at a.'])
    expect(
      codePointersOf(
        errorLog({ ms: 0, by: 'api', data: { 'exception.stacktrace': `${unit.repeat(70)}\n`.repeat(300) } }),
      ),
    ).toEqual([]);
});
