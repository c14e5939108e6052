#include <memory>

#define ZSTD_STATIC_LINKING_ONLY  // ZSTD_getFrameHeader
#include <zstd.h>

#include "core/patch/frame.h"

namespace berth::patch {
namespace {

std::unexpected<Error> refuse_frame(const std::string& what) { return fail(Errc::trust, "the patch's zstd frame " + what); }

/// Everything that can be seen before decoding.
Result<void> check_header(std::string_view frame, std::size_t size) {
  ZSTD_frameHeader header;
  if (const std::size_t more = ZSTD_getFrameHeader(&header, frame.data(), frame.size()); more != 0) {
    return refuse_frame(ZSTD_isError(more) != 0 ? std::string("cannot be decoded: ") + ZSTD_getErrorName(more) : "is cut off");
  }
  if (frame.substr(0, 4) != std::string_view("\x28\xb5\x2f\xfd", 4) || header.frameType != ZSTD_frame) return refuse_frame("is of another kind");
  if (header.dictID != 0) return refuse_frame("wants a dictionary");
  if (header.checksumFlag == 0) return refuse_frame("has no checksum");
  if (header.frameContentSize != size) {
    return refuse_frame(header.frameContentSize == ZSTD_CONTENTSIZE_UNKNOWN
                      ? std::string("does not say how much is in it")
                      : "has " + std::to_string(header.frameContentSize) + " bytes in it, not the " + std::to_string(size) + " of the manifest");
  }
  const std::size_t whole = ZSTD_findFrameCompressedSize(frame.data(), frame.size());
  if (ZSTD_isError(whole) != 0) return refuse_frame(std::string("cannot be decoded: ") + ZSTD_getErrorName(whole));
  if (whole != frame.size()) return refuse_frame("ends before its bytes do");
  return {};
}

}  // namespace

Result<void> decode_frame(std::string_view frame, std::string_view prefix, std::span<char> content) {
  BERTH_CHECK(check_header(frame, content.size()));
  const std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> context(ZSTD_createDCtx(), ZSTD_freeDCtx);
  if (!context) return fail(Errc::io, "no memory to decode with");
  if (const std::size_t set = ZSTD_DCtx_refPrefix(context.get(), prefix.data(), prefix.size()); ZSTD_isError(set) != 0)
    return fail(Errc::internal, std::string("zstd: ") + ZSTD_getErrorName(set));
  const std::size_t made = ZSTD_decompressDCtx(context.get(), content.data(), content.size(), frame.data(), frame.size());
  if (ZSTD_isError(made) != 0) return refuse_frame(std::string("cannot be decoded (made against another build?): ") + ZSTD_getErrorName(made));
  if (made != content.size()) return refuse_frame("has " + std::to_string(made) + " bytes in it, not the " + std::to_string(content.size()) + " that it says");
  return {};
}

}  // namespace berth::patch
