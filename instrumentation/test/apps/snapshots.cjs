const { snapshot, withCorrelation } = require('@ai-debug/instrumentation');

const state = { items: [1, 2.5, 'x'], nested: { at: new Date(0), tags: new Set(['a']) } };
withCorrelation('c-1', () => {
  snapshot('cart', state, {
    checkpoint: 'before-order',
    type: 'partial',
    operationId: 'given',
    componentType: 'agent',
    componentId: 'planner',
  });
});
snapshot({ only: 'state' });
snapshot('queue', [1, 2]);
