/**
 * Names that a pickle mentions only to harm: what runs programs, code or other pickles, and what opens files and connections. Nothing in a
 * pickle is ever executed here, so this list protects nobody by itself: it is there to tell a person that a file is an attack.
 */

/** Modules of which nothing belongs into a checkpoint. */
const HOSTILE_MODULES = new Set(
  (
    'os nt pty sys subprocess shutil socket ssl http urllib ftplib smtplib webbrowser ctypes cffi importlib imp runpy codeop ' +
    'marshal pip pdb bdb timeit cProfile pydoc pkgutil asyncio atexit zipimport distutils setuptools ' +
    'pexpect requests popen2 tempfile fcntl mmap pickle _pickle shelve linecache gc inspect'
  ).split(' '),
);

/** Plain data that those modules have all the same, and their members. */
const HARMLESS = new Set([
  'os._Environ',
  'os.stat_result',
  'os.terminal_size',
  'os.uname_result',
  'os.times_result',
  'os.sched_param',
  'os.PathLike',
  'http.HTTPStatus',
  'http.HTTPMethod',
  'http.client.HTTPMessage',
  'shutil._ntuple_diskusage',
  'ssl.TLSVersion',
  'ssl.VerifyMode',
  'socket.AddressFamily',
  'socket.SocketKind',
  'inspect.Parameter',
  'inspect.Signature',
  'inspect.FullArgSpec',
  'inspect.BoundArguments',
  'inspect._ParameterKind',
  'inspect._empty',
  'pickle.PickleBuffer',
]);
const HARMLESS_MODULES = [
  'urllib.parse.',
  'importlib.metadata.',
  'http.cookies.',
  'distutils.version.',
  'setuptools._distutils.version.',
  'setuptools._vendor.packaging.',
  'setuptools.extern.packaging.',
  'pip._vendor.packaging.',
  'requests.structures.',
];

/** Single functions of modules that are harmless otherwise, and modules below them. */
const HOSTILE_NAMES = new Set([
  ...[
    'eval',
    'exec',
    'compile',
    '__import__',
    'open',
    'input',
    'breakpoint',
    'setattr',
    'delattr',
    'globals',
    'vars',
  ].map((name) => `builtins.${name}`),
  ...['execfile', 'file', 'reload', 'apply', 'raw_input'].map((name) => `builtins.${name}`),
  // Modules whose names people also give to their own, of which Python's have only these.
  ...['getoutput', 'getstatus', 'getstatusoutput'].map((name) => `commands.${name}`),
  ...['addsitedir', 'addpackage', 'execsitecustomize', 'execusercustomize', 'main'].map((name) => `site.${name}`),
  ...['run', 'runctx', 'Profile', 'main'].map((name) => `profile.${name}`),
  'code.interact',
  'trace.Trace',
  'trace.main',
  'io.open',
  'io.open_code',
  'io.FileIO',
  '_io.open',
  '_io.FileIO',
  'types.FunctionType',
  'types.CodeType',
  'platform.popen',
  'torch.load',
  'torch.serialization.load',
  'torch.jit.load',
  'numpy.load',
  'numpy.lib.npyio.load',
  'numpy.loadtxt',
  'numpy.fromfile',
  'pandas.read_pickle',
  'joblib.load',
  'dill.load',
  'dill.loads',
  'dill._dill.load',
  'dill._dill.loads',
  'cloudpickle.load',
  'cloudpickle.loads',
  'yaml.load',
  'yaml.unsafe_load',
]);
const HOSTILE_PACKAGES = [
  'torch.hub.',
  'code.Interactive',
  'torch.utils.cpp_extension.',
  'torch.package.',
  'multiprocessing.popen_',
  'numpy.testing.',
];

/** Names that Python 2, or the platform's own module behind `os`, puts where people know another. */
const KNOWN_AS: ReadonlyMap<string, string> = new Map([
  ['__builtin__', 'builtins'],
  ['copy_reg', 'copyreg'],
  ['posix', 'os'],
  ['nt', 'os'],
]);

/** The name by which people know a class or function: `posix.system` is `os.system`. */
export function familiarPath({ module, name }: { readonly module: string; readonly name: string }): string {
  return `${KNOWN_AS.get(module) ?? module}.${name}`;
}

/** @param path As `familiarPath` gives it. */
export function isHostile(path: string): boolean {
  if (HOSTILE_NAMES.has(path) || HOSTILE_PACKAGES.some((beginning) => path.startsWith(beginning))) return true;
  const top = path.slice(0, path.indexOf('.'));
  if (!HOSTILE_MODULES.has(top)) return false;
  const owner = path.slice(0, path.lastIndexOf('.'));
  return (
    !HARMLESS.has(path) && !HARMLESS.has(owner) && !HARMLESS_MODULES.some((beginning) => path.startsWith(beginning))
  );
}
