#include <fcntl.h>
#include <unistd.h>

#include "core/bundle/frame_writer.h"
#include "core/bundle/layer.h"
#include "core/bundle/tar_writer.h"
#include "core/files/files.h"

namespace berth::bundle {
namespace {

namespace fs = std::filesystem;

Result<WrittenLayer> write_frames(int file, const fs::path& root, const std::vector<Entry>& entries, const fs::path& blob, int level) {
  FrameWriter writer(file, blob.string(), level);
  const auto sink = [&writer](std::string_view tar) { return writer.append(tar); };
  BERTH_CHECK(write_tar(root, entries, sink));
  BERTH_TRY(WrittenLayer written, writer.finish());
  if (::fsync(file) != 0) return fail_errno("fsync " + blob.string());
  BERTH_CHECK(files::sync(blob.parent_path().empty() ? "." : blob.parent_path()));
  return written;
}

}  // namespace

Result<WrittenLayer> write_layer(const fs::path& root, const std::vector<Entry>& entries, const fs::path& blob, int level) {
  BERTH_TRY(const Fd file, files::open(blob, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW));
  auto written = write_frames(file.get(), root, entries, blob, level);
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

}  // namespace berth::bundle
