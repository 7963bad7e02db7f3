/**
 * The one-way arrows between the folders, as rules: each floor knows itself and the floors below. Engines are reached through the interface in engines/kernels.ts
 * and engines/calls/. Type-only imports count:
 * a type that points the wrong way is a dependency too. test/scripts/dependencies.test.ts shows that each rule can fail.
 */

const { builtinModules } = require('node:module');

/** What every folder may use beside what lies below it. */
const everywhere = ['errors\\.ts$', 'optionNames\\.ts$', 'random\\.ts$'];
/** The cruiser's names for imports that are gone after compilation. */
const typesOnly = ['type-only', 'type-import'];

/**
 * The folders of src from the ground up; those of one floor know each other. Above them are the entry points and cli, which know everything.
 * Tasks stand beside training, which asks their registry; what they use of it is another rule.
 */
const floors = [
  ['graph'],
  ['engines'],
  ['operators'],
  ['models'],
  ['runtime'],
  ['inference'],
  ['metrics', 'data', 'interop'],
  ['search'],
  ['modalities'],
  ['loader'],
  ['insight'],
  ['energy'],
  ['training', 'tasks'],
  ['api'],
];

/** A rule that a folder imports nothing of src but its floor and those below; which part of engines/ it may know is another rule. */
function layer(folder, floor) {
  const known = floors.slice(0, floor + 1).flat();
  return knowsOnly(
    folder,
    known.map((name) => `${name}/`),
  );
}

function knowsOnly(folder, allowed) {
  return {
    name: `${folder}-knows-only-what-is-below`,
    severity: 'error',
    from: { path: `^src/${folder}/` },
    to: { path: '^src/', pathNot: `^src/(${[...everywhere, ...allowed].join('|')})` },
  };
}

/** Folders beside these would be under no rule. */
const rooms = [...floors.flat(), 'cli'];

// What a browser does not have. The cruiser names Node's modules without "node:". worker_threads has its own rules.
const nodeModules = builtinModules.filter((name) => !/^_|^worker_threads$/.test(name));
const nodeModulePattern = `^(${nodeModules.join('|')})$`;
const nodePackagePattern = '^(node_modules/)?(sharp|commander|cli-progress)(/|$)';

module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    { name: 'imports-resolve', severity: 'error', from: {}, to: { couldNotResolve: true } },

    ...floors.flatMap((folders, floor) =>
      folders.filter((folder) => folder !== 'tasks').map((folder) => layer(folder, floor)),
    ),
    {
      name: 'no-room-without-a-floor',
      comment: 'A new folder gets its place in `floors`.',
      severity: 'error',
      from: {},
      to: { path: '^src/[^/]+/', pathNot: `^src/(${rooms.join('|')})/` },
    },
    knowsOnly('tasks', [
      'tasks/',
      'modalities/',
      'data/',
      'metrics/',
      'training/(losses/|errors\\.ts$)',
      'models/',
      'operators/',
      'graph/',
    ]),
    {
      name: 'what-tasks-use-knows-no-task',
      severity: 'error',
      from: { path: '^src/training/losses/' },
      to: { path: '^src/tasks/' },
    },
    {
      name: 'tasks-behind-their-registry',
      comment: 'A task is one folder and a line in the registry; nobody asks for one by name.',
      severity: 'error',
      from: { path: '^(src|lab|bench|examples)/', pathNot: '^src/tasks/' },
      to: { path: '^src/tasks/[^/]+/' },
    },
    {
      name: 'tasks-do-not-know-each-other',
      severity: 'error',
      from: { path: '^src/tasks/([^/]+)/' },
      to: { path: '^src/tasks/(?!$1/)[^/]+/' },
    },
    {
      name: 'networks-run-in-inference',
      comment: 'One place compiles, caches, runs and records; all others ask it.',
      severity: 'error',
      from: { path: '^(src|lab|bench|examples)/', pathNot: '^src/(runtime|inference)/' },
      to: { path: '^src/runtime/compile\\.ts$', dependencyTypesNot: typesOnly },
    },
    {
      name: 'engines-behind-kernels',
      comment: 'Only those who choose an engine know the engines; all others know the interface.',
      severity: 'error',
      from: {
        path: '^(src|lab|bench|examples)/',
        pathNot: '^src/(engines/|cli/|index[^/]*\\.ts$|runtime/engines\\.ts$)',
      },
      to: {
        path: '^src/engines/',
        pathNot: '^src/engines/(calls/[^/]+|kernels|trainingKernels|neuronDynamics|errors)\\.ts$',
      },
    },
    {
      name: 'native-on-top-of-wasm',
      comment: 'The native engine executes what the wasm engine records.',
      severity: 'error',
      from: { path: '^src/engines/', pathNot: '^src/engines/native/' },
      to: { path: '^src/engines/native/' },
    },
    {
      name: 'lab-knows-the-browser-entry',
      comment: 'The page is a user of the library like any other.',
      severity: 'error',
      from: { path: '^lab/' },
      to: { path: '^(src|test|bench|scripts)/', pathNot: '^src/index\\.browser\\.ts$' },
    },
    {
      name: 'sources-stand-alone',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^(test|bench|lab|examples|scripts)/' },
    },

    {
      name: 'browser-without-node',
      comment: 'Everything that index.browser.ts reaches, by whatever way, runs in a page.',
      severity: 'error',
      from: { path: '^src/index\\.browser\\.ts$' },
      to: { path: `${nodeModulePattern}|${nodePackagePattern}`, reachable: true },
    },
    {
      name: 'threads-only-where-work-is-shared',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(engines/(wasm|native)|loader)/' },
      to: { path: '^worker_threads$' },
    },
    {
      name: 'threads-only-on-demand',
      comment: 'A static import of worker_threads would break the page; the engine asks for it when it runs in Node.',
      severity: 'error',
      from: { path: '^src/engines/(wasm|native)/' },
      to: { path: '^worker_threads$', dynamic: false, dependencyTypesNot: typesOnly },
    },

    {
      name: 'shipped-code-uses-shipped-packages',
      severity: 'error',
      from: { path: '^src/' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'], dependencyTypesNot: typesOnly },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    doNotFollow: { path: ['node_modules', '\\.generated\\.ts$'] },
    exclude: { path: '(^|/)fixtures/|^lab/dist/' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'types', 'node', 'default'] },
  },
};
