#include "daemon/unpack/patched.h"

#include <span>

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

Result<void> decode_patch(int blob, int scratch, const PatchFrame& patch, const std::function<Result<void>(std::string_view)>& sink) {
  const Mapped frames(blob, patch.offset + patch.size, false);
  if (!frames) return fail_errno("map the patch");
  const Mapped work(scratch, content_place(patch.base) + patch.content, true);
  if (!work) return fail_errno("map what the patch is decoded into");
  const std::string_view base(work.data(), patch.base);
  const std::span<char> content(work.data() + content_place(patch.base), patch.content);
  BERTH_CHECK(patch::decode_frame({frames.data() + patch.offset, patch.size}, base, content));
  if (patch.tar_size == 0) return {};
  return patch::apply({content.data(), content.size()}, base, patch.tar_size, sink);
}

}  // namespace berth::unpack
