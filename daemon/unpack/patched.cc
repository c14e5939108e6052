#include "daemon/unpack/patched.h"

#include <algorithm>
#include <span>
#include <string_view>

#include <sys/mman.h>

#include "core/patch/frame.h"
#include "core/patch/script.h"

namespace berth::unpack {
namespace {

/// The first bytes of a file, in memory as long as this lives.
class Mapped {
 public:
  Mapped(int fd, std::uint64_t size, bool writable)
      : size_(size), bytes_(::mmap(nullptr, size, writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd, 0)) {}
  ~Mapped() {
    if (*this) ::munmap(bytes_, size_);
  }
  Mapped(const Mapped&) = delete;
  Mapped& operator=(const Mapped&) = delete;

  explicit operator bool() const { return bytes_ != MAP_FAILED; }
  char* data() const { return static_cast<char*>(bytes_); }

 private:
  std::size_t size_;
  void* bytes_;
};

}  // namespace

Result<void> decode_patch(int blob, int scratch, const PatchFrame& patch) {
  const Mapped frames(blob, patch.offset + patch.size, false);
  if (!frames) return fail_errno("map the patch");
  const Mapped work(scratch, made_place(patch.base, patch.content) + patch.made, true);
  if (!work) return fail_errno("map what the patch is decoded into");
  const std::string_view base(work.data(), patch.base);
  const std::span<char> content(work.data() + content_place(patch.base), patch.content);
  BERTH_CHECK(patch::decode_frame({frames.data() + patch.offset, patch.size}, base, content));
  if (patch.made == 0) return {};
  char* next = work.data() + made_place(patch.base, patch.content);
  const auto keep = [&next](std::string_view piece) -> Result<void> {
    next = std::ranges::copy(piece, next).out;
    return {};
  };
  return patch::apply({content.data(), content.size()}, base, patch.made, keep);
}

}  // namespace berth::unpack
