#include <functional>
#include <string_view>

#include <fcntl.h>
#include <unistd.h>

#include "core/bundle/frame_writer.h"
#include "core/bundle/layer.h"
#include "core/bundle/tar_writer.h"
#include "core/files/files.h"

namespace berth::bundle {
namespace {

namespace fs = std::filesystem;

using Tar = std::function<Result<void>(const std::function<Result<void>(std::string_view)>& sink)>;

Result<WrittenLayer> write_frames(int file, const fs::path& blob, int level, const Tar& tar) {
  FrameWriter writer(file, blob.string(), level);
  const auto sink = [&writer](std::string_view bytes) { return writer.append(bytes); };
  BERTH_CHECK(tar(sink));
  BERTH_TRY(WrittenLayer written, writer.finish());
  if (::fsync(file) != 0) return fail_errno("fsync " + blob.string());
  BERTH_CHECK(files::sync(blob.parent_path().empty() ? "." : blob.parent_path()));
  return written;
}

/// Packs what `tar` writes, which are `entries`; what is at `blob` after a failure is gone.
Result<WrittenLayer> pack(const std::vector<Entry>& entries, const fs::path& blob, int level, const Tar& tar) {
  BERTH_TRY(const Fd file, files::open(blob, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW));
  auto written = write_frames(file.get(), blob, level, tar);
  if (!written) {
    ::unlink(blob.c_str());
    return written;
  }
  written->index.entries = entries;
  const std::string index = to_canonical_json(written->index);
  written->ref.index = {.sha256 = crypto::sha256_hex(index), .size = index.size()};
  if (index.size() > kLargestIndex) {
    ::unlink(blob.c_str());
    return fail(Errc::usage, "the index of the layer is larger than 64 MiB: the tree has too many files");
  }
  return written;
}

}  // namespace

Result<WrittenLayer> write_layer(const fs::path& root, const std::vector<Entry>& entries, const fs::path& blob, int level) {
  return pack(entries, blob, level, [&](const auto& sink) { return write_tar(root, entries, sink); });
}

Result<WrittenLayer> write_layer_and_hash(const fs::path& root, std::vector<Entry> entries, const fs::path& blob, int level) {
  return pack(entries, blob, level, [&](const auto& sink) { return write_tar_and_hash(root, entries, sink); });
}

}  // namespace berth::bundle
