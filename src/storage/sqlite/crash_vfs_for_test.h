#pragma once

#include <sqlite3.h>
#include <unistd.h>

#include <cstring>
#include <map>
#include <random>
#include <string>
#include <vector>

/// A VFS that stops the process, or fails, at the n-th operation that changes the disk. Only for *_test.cc: it keeps
/// its state in globals, so it belongs into a forked child.
namespace writ::storage::crash_vfs {

enum class Mode {
  kKill,      ///< the process ends before the operation; what was written before is in the files
  kTorn,      ///< as kKill, but the first half of a write gets through
  kPowerCut,  ///< of everything not synced only a random part, cut at sectors, is in the files; links and all
  kFull,      ///< from then on nothing can be written: SQLITE_FULL
  kIoError    ///< this one operation fails
};

struct Plan {
  Mode mode = Mode::kKill;
  int at = 0;         ///< 1-based; 0 never
  unsigned seed = 0;  ///< for kPowerCut
};
inline constexpr int kCrashed = 42;  ///< exit status of a process that was stopped here

/// A change that is not synced yet. A truncation is a change without data.
struct Change {
  sqlite3_int64 offset = 0;
  std::string before, data;
  sqlite3_int64 size_before = 0, size_after = 0;
};
struct FileState {
  sqlite3_file* real = nullptr;
  bool created = false;  ///< by this process, and never synced since
  std::vector<Change> unsynced;
};
struct File {
  sqlite3_file base;
  FileState* state;
};

inline Plan plan;
inline int operations = 0;
inline std::map<std::string, FileState> files;  // by path
inline sqlite3_vfs* system_vfs = nullptr;

inline sqlite3_file* Real(sqlite3_file* file) { return reinterpret_cast<File*>(file)->state->real; }

inline std::string ReadAt(sqlite3_file* real, sqlite3_int64 offset, sqlite3_int64 size) {
  std::string bytes(static_cast<std::size_t>(std::max<sqlite3_int64>(size, 0)), '\0');
  if (size > 0) real->pMethods->xRead(real, bytes.data(), static_cast<int>(size), offset);
  return bytes;
}

/// Puts every file into a state that a power cut could have left it in.
inline void CutPower() {
  std::mt19937 random(plan.seed);
  for (auto& [path, state] : files) {
    if (state.real == nullptr || state.real->pMethods == nullptr) continue;
    const sqlite3_io_methods& io = *state.real->pMethods;
    for (auto change = state.unsynced.rbegin(); change != state.unsynced.rend(); ++change) {
      if (!change->before.empty()) {
        io.xWrite(state.real, change->before.data(), static_cast<int>(change->before.size()), change->offset);
      }
      io.xTruncate(state.real, change->size_before);
    }
    if (state.created && random() % 2 == 0) {
      ::unlink(path.c_str());
      continue;
    }
    for (const Change& change : state.unsynced) {
      if (random() % 3 == 0) continue;
      if (change.data.empty()) {
        io.xTruncate(state.real, change.size_after);
        continue;
      }
      std::size_t kept = change.data.size();
      if (random() % 2 == 0) kept = (random() % (kept + 1)) / 512 * 512;
      if (kept > 0) io.xWrite(state.real, change.data.data(), static_cast<int>(kept), change.offset);
    }
  }
}

/// Counts one operation. SQLITE_OK: do it.
inline int Reach() {
  ++operations;
  if (plan.at == 0) return SQLITE_OK;
  if (plan.mode == Mode::kFull) return operations >= plan.at ? SQLITE_FULL : SQLITE_OK;
  if (operations != plan.at) return SQLITE_OK;
  if (plan.mode == Mode::kIoError) return SQLITE_IOERR_WRITE;
  if (plan.mode == Mode::kPowerCut) CutPower();
  ::_exit(kCrashed);
}

inline int Write(sqlite3_file* file, const void* data, int size, sqlite3_int64 offset) {
  FileState& state = *reinterpret_cast<File*>(file)->state;
  sqlite3_file* real = state.real;
  if (plan.mode == Mode::kTorn && operations + 1 == plan.at) real->pMethods->xWrite(real, data, size / 2, offset);
  if (const int code = Reach(); code != SQLITE_OK) return code;
  Change change{.offset = offset,
                .before = {},
                .data = std::string(static_cast<const char*>(data), size),
                .size_before = 0,
                .size_after = 0};
  real->pMethods->xFileSize(real, &change.size_before);
  change.before = ReadAt(real, offset, std::min<sqlite3_int64>(size, change.size_before - offset));
  state.unsynced.push_back(std::move(change));
  return real->pMethods->xWrite(real, data, size, offset);
}

inline int Truncate(sqlite3_file* file, sqlite3_int64 size) {
  FileState& state = *reinterpret_cast<File*>(file)->state;
  if (const int code = Reach(); code != SQLITE_OK) return code;
  Change change{.offset = size, .before = {}, .data = {}, .size_before = 0, .size_after = size};
  state.real->pMethods->xFileSize(state.real, &change.size_before);
  change.before = ReadAt(state.real, size, change.size_before - size);
  state.unsynced.push_back(std::move(change));
  return state.real->pMethods->xTruncate(state.real, size);
}

inline int Sync(sqlite3_file* file, int flags) {
  FileState& state = *reinterpret_cast<File*>(file)->state;
  if (const int code = Reach(); code != SQLITE_OK) return code == SQLITE_FULL ? SQLITE_IOERR_FSYNC : code;
  const int code = state.real->pMethods->xSync(state.real, flags);
  if (code == SQLITE_OK) {
    state.unsynced.clear();
    state.created = false;
  }
  return code;
}

inline int Close(sqlite3_file* file) {
  FileState& state = *reinterpret_cast<File*>(file)->state;
  const int code = state.real->pMethods->xClose(state.real);
  sqlite3_free(state.real);
  state.real = nullptr;
  return code;
}

inline const sqlite3_io_methods kMethods = {
    .iVersion = 2,
    .xClose = Close,
    .xRead = [](sqlite3_file* f, void* data, int size,
                sqlite3_int64 at) { return Real(f)->pMethods->xRead(Real(f), data, size, at); },
    .xWrite = Write,
    .xTruncate = Truncate,
    .xSync = Sync,
    .xFileSize = [](sqlite3_file* f, sqlite3_int64* size) { return Real(f)->pMethods->xFileSize(Real(f), size); },
    .xLock = [](sqlite3_file* f, int level) { return Real(f)->pMethods->xLock(Real(f), level); },
    .xUnlock = [](sqlite3_file* f, int level) { return Real(f)->pMethods->xUnlock(Real(f), level); },
    .xCheckReservedLock = [](sqlite3_file* f, int* out) { return Real(f)->pMethods->xCheckReservedLock(Real(f), out); },
    .xFileControl = [](sqlite3_file* f, int op,
                       void* arg) { return Real(f)->pMethods->xFileControl(Real(f), op, arg); },
    .xSectorSize = [](sqlite3_file* f) { return Real(f)->pMethods->xSectorSize(Real(f)); },
    .xDeviceCharacteristics = [](sqlite3_file* f) { return Real(f)->pMethods->xDeviceCharacteristics(Real(f)); },
    .xShmMap = [](sqlite3_file* f, int page, int size, int extend,
                  void volatile** out) { return Real(f)->pMethods->xShmMap(Real(f), page, size, extend, out); },
    .xShmLock = [](sqlite3_file* f, int offset, int n,
                   int flags) { return Real(f)->pMethods->xShmLock(Real(f), offset, n, flags); },
    .xShmBarrier = [](sqlite3_file* f) { Real(f)->pMethods->xShmBarrier(Real(f)); },
    .xShmUnmap = [](sqlite3_file* f, int remove) { return Real(f)->pMethods->xShmUnmap(Real(f), remove); },
    .xFetch = nullptr,
    .xUnfetch = nullptr,
};

inline int Open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  file->pMethods = nullptr;
  const std::string path = name == nullptr ? "" : name;
  const bool existed = name != nullptr && ::access(name, F_OK) == 0;
  auto* real = static_cast<sqlite3_file*>(sqlite3_malloc(system_vfs->szOsFile));
  std::memset(real, 0, static_cast<std::size_t>(system_vfs->szOsFile));
  const int code = system_vfs->xOpen(system_vfs, name, real, flags, out_flags);
  if (code != SQLITE_OK) {
    sqlite3_free(real);
    return code;
  }
  FileState& state = files[path];
  state.real = real;
  state.created = state.created || !existed;
  reinterpret_cast<File*>(file)->state = &state;
  file->pMethods = &kMethods;
  return SQLITE_OK;
}

inline int Delete(sqlite3_vfs*, const char* name, int sync_directory) {
  if (const int code = Reach(); code != SQLITE_OK) return code;
  return system_vfs->xDelete(system_vfs, name, sync_directory);
}

/// Registers the VFS under its name and begins to count.
inline const char* Register(const Plan& chosen) {
  static sqlite3_vfs vfs;
  plan = chosen;
  system_vfs = sqlite3_vfs_find(nullptr);
  vfs = *system_vfs;
  vfs.zName = "writ-crash";
  vfs.szOsFile = sizeof(File);
  vfs.xOpen = Open;
  vfs.xDelete = Delete;
  sqlite3_vfs_register(&vfs, 0);
  return vfs.zName;
}

}  // namespace writ::storage::crash_vfs
