#include "core/bundle/frame_writer.h"

#include <algorithm>
#include <system_error>
#include <thread>

#include <zstd.h>

#include "core/files/files.h"

namespace berth::bundle {
namespace {

constexpr int kLargestWindow = 23;  // 8 MiB: what a decompressor has to keep
constexpr int kHighestLevel = 19;   // above, zstd takes wider windows

}  // namespace

struct FrameWriter::Slot {
  explicit Slot(int level) : context(ZSTD_createCCtx(), ZSTD_freeCCtx) {
    if (!context) return;
    ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, std::clamp(level, 1, kHighestLevel));
    ZSTD_CCtx_setParameter(context.get(), ZSTD_c_checksumFlag, 1);
    ZSTD_CCtx_setParameter(context.get(), ZSTD_c_contentSizeFlag, 1);
    static_assert((std::uint64_t{1} << kLargestWindow) <= kFrame);
  }

  /// Fills `out`; the length is zstd's result, also where it is an error.
  void compress() {
    out.resize(ZSTD_compressBound(in.size()));
    result = context ? ZSTD_compress2(context.get(), out.data(), out.size(), in.data(), in.size()) : static_cast<std::size_t>(-1);
  }

  std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> context;
  std::string in, out;
  std::size_t result = 0;
  bool full = false;         // and not written yet
  std::jthread compressing;  // while it lives, all above is its own
};

FrameWriter::FrameWriter(int file, std::string name, int level) : file_(file), name_(std::move(name)) {
  for (auto& slot : slots_) slot = std::make_unique<Slot>(level);
}

FrameWriter::~FrameWriter() = default;

Result<void> FrameWriter::append(std::string_view tar) {
  tar_hash_.update(tar);
  written_.ref.tar_size += tar.size();
  while (!tar.empty()) {
    Slot& slot = *slots_[filling_];
    BERTH_CHECK(write(slot));  // what it was filled with a round ago
    const std::string_view taken = tar.substr(0, kFrame - slot.in.size());
    slot.in += taken;
    tar.remove_prefix(taken.size());
    if (slot.in.size() == kFrame) start();
  }
  return {};
}

/// Compresses what was filled in a thread of its own, while the next slot is filled.
void FrameWriter::start() {
  Slot& slot = *slots_[filling_];
  slot.full = true;
  try {
    slot.compressing = std::jthread([&slot] { slot.compress(); });
  } catch (const std::system_error&) {
    slot.compress();  // the system has no more threads: then it takes longer
  }
  filling_ = (filling_ + 1) % slots_.size();
}

/// Writes what is being compressed in the slot, once that is done; the slot is empty then.
Result<void> FrameWriter::write(Slot& slot) {
  if (!slot.full) return {};
  if (slot.compressing.joinable()) slot.compressing.join();
  slot.full = false;
  if (ZSTD_isError(slot.result)) return fail(Errc::internal, name_ + ": zstd: " + ZSTD_getErrorName(slot.result));
  const std::string_view bytes(slot.out.data(), slot.result);
  written_.index.frames.push_back({.offset = written_.ref.blob.size, .size = bytes.size(), .tar_size = slot.in.size()});
  written_.ref.blob.size += bytes.size();
  blob_hash_.update(bytes);
  hash_chunks(bytes);
  slot.in.clear();
  return files::write_all(file_, bytes, name_);
}

void FrameWriter::hash_chunks(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::string_view taken = bytes.substr(0, kChunk - chunk_size_);
    chunk_hash_.update(taken);
    chunk_size_ += taken.size();
    bytes.remove_prefix(taken.size());
    if (chunk_size_ < kChunk) continue;
    written_.index.chunks.push_back(chunk_hash_.hex());
    chunk_size_ = 0;
  }
}

Result<WrittenLayer> FrameWriter::finish() {
  if (!slots_[filling_]->full && !slots_[filling_]->in.empty()) start();
  for (std::size_t i = 0; i < slots_.size(); ++i) BERTH_CHECK(write(*slots_[(filling_ + i) % slots_.size()]));  // the oldest first
  if (chunk_size_ > 0) written_.index.chunks.push_back(chunk_hash_.hex());
  written_.ref.blob.sha256 = blob_hash_.hex();
  written_.ref.tar_sha256 = tar_hash_.hex();
  return std::move(written_);
}

}  // namespace berth::bundle
