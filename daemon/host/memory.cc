#include "daemon/host/memory.h"

#include <cstddef>
#include <cstdint>
#include <span>

#include <link.h>
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
  const auto drop_code = [](dl_phdr_info* info, std::size_t, void*) {
    const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
    for (const auto& segment : std::span(info->dlpi_phdr, info->dlpi_phnum)) {
      if (segment.p_type != PT_LOAD || (segment.p_flags & PF_X) == 0 || (segment.p_flags & PF_W) != 0) continue;
      const std::uintptr_t begin = (info->dlpi_addr + segment.p_vaddr) & ~(page - 1), end = info->dlpi_addr + segment.p_vaddr + segment.p_filesz;
      ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);  // its pages are the file's own: nothing writes to them
    }
    return 0;
  };
  ::dl_iterate_phdr(drop_code, nullptr);
}

bool is_in_memory(const std::filesystem::path& path) {
  struct statfs about{};
  return ::statfs(path.c_str(), &about) == 0 && (about.f_type == TMPFS_MAGIC || about.f_type == RAMFS_MAGIC);
}

}  // namespace berth::host
