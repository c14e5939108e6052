#include "daemon/host/memory.h"

#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <string_view>

#include <linux/magic.h>
#include <malloc.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/statfs.h>
#include <unistd.h>

namespace berth::host {

void forbid_core_files() { ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); }

void give_back_memory() {
  ::malloc_trim(0);
  // Only where each page is the file's own: what a debugger or a live patch has written there would be lost.
  std::ifstream maps("/proc/self/smaps");
  std::uintptr_t begin = 0, end = 0;
  for (std::string line; std::getline(maps, line);) {
    std::uintptr_t from = 0, to = 0;
    char rights[5] = {};
    int path = 0;
    if (std::sscanf(line.c_str(), "%" SCNxPTR "-%" SCNxPTR " %4s %*s %*s %*s %n", &from, &to, rights, &path) == 3) {
      const bool is_code = std::string_view(rights) == "r-xp" && line[static_cast<std::size_t>(path)] == '/';
      begin = is_code ? from : 0;
      end = is_code ? to : 0;
    } else if (begin != 0 && line.starts_with("Anonymous:") && std::strtoul(line.c_str() + 10, nullptr, 10) == 0) {
      ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
    }
  }
}

bool is_in_memory(const std::filesystem::path& path) {
  struct statfs about{};
  return ::statfs(path.c_str(), &about) == 0 && (about.f_type == TMPFS_MAGIC || about.f_type == RAMFS_MAGIC);
}

}  // namespace berth::host
