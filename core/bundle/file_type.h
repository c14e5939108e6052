#pragma once

#include <sys/stat.h>

#include "core/bundle/layer.h"

namespace berth::bundle {

/// What lies there, for people, by the mode of stat.
inline const char* kind_of(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFDIR: return "a folder";
    case S_IFREG: return "a file";
    case S_IFLNK: return "a link";
    default: return "a device, pipe or socket";
  }
}

/// How stat tells that type.
inline mode_t type_of(EntryType type) {
  switch (type) {
    case EntryType::directory: return S_IFDIR;
    case EntryType::symlink: return S_IFLNK;
    case EntryType::file: break;
  }
  return S_IFREG;
}

}  // namespace berth::bundle
