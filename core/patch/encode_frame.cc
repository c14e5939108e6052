#include <algorithm>
#include <bit>
#include <memory>

#include <zstd.h>

#include "core/patch/frame.h"

namespace berth::patch {
namespace {

constexpr int kLeastWindow = 10, kLargestWindow = 30;
constexpr int kFastLevel = 9, kBestLevel = 22;
constexpr int kLargestChain = 27;  ///< half a GiB; the hash table has half as much

/// Bits of a number at least as large as `size`.
int log_of(std::uint64_t size) { return std::bit_width(std::max<std::uint64_t>(size, 2) - 1); }

Result<void> set(ZSTD_CCtx* context, ZSTD_cParameter parameter, int value) {
  const std::size_t done = ZSTD_CCtx_setParameter(context, parameter, value);
  if (ZSTD_isError(done) != 0) return fail(Errc::internal, std::string("zstd: ") + ZSTD_getErrorName(done));
  return {};
}

/// The prefix can be referred to until the window is full of content, so that the window is as long as that; the tables have to hold the prefix, too.
Result<void> configure(ZSTD_CCtx* context, std::size_t content, std::size_t prefix, Effort effort) {
  const bool best = effort == Effort::best;
  const int window = std::clamp(log_of(std::max(content, prefix)), kLeastWindow, kLargestWindow);
  const int both = std::clamp(log_of(content + prefix), kLeastWindow, kLargestWindow);
  BERTH_CHECK(set(context, ZSTD_c_compressionLevel, best ? kBestLevel : kFastLevel));
  BERTH_CHECK(set(context, ZSTD_c_windowLog, window));
  BERTH_CHECK(set(context, ZSTD_c_enableLongDistanceMatching, 1));
  BERTH_CHECK(set(context, ZSTD_c_checksumFlag, 1));
  BERTH_CHECK(set(context, ZSTD_c_contentSizeFlag, 1));
  if (!best) return {};
  BERTH_CHECK(set(context, ZSTD_c_strategy, ZSTD_btultra2));
  BERTH_CHECK(set(context, ZSTD_c_chainLog, std::clamp(both + 1, 20, kLargestChain)));
  BERTH_CHECK(set(context, ZSTD_c_hashLog, std::clamp(both, 20, kLargestChain - 1)));
  BERTH_CHECK(set(context, ZSTD_c_searchLog, 12));
  BERTH_CHECK(set(context, ZSTD_c_minMatch, 3));
  return set(context, ZSTD_c_targetLength, 4096);
}

}  // namespace

Result<std::string> encode_frame(std::string_view content, std::string_view prefix, Effort effort) {
  const std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> context(ZSTD_createCCtx(), ZSTD_freeCCtx);
  if (!context) return fail(Errc::io, "no memory to compress with");
  BERTH_CHECK(configure(context.get(), content.size(), prefix.size(), effort));
  if (const std::size_t done = ZSTD_CCtx_refPrefix(context.get(), prefix.data(), prefix.size()); ZSTD_isError(done) != 0)
    return fail(Errc::internal, std::string("zstd: ") + ZSTD_getErrorName(done));
  std::string out(ZSTD_compressBound(content.size()), '\0');
  const std::size_t size = ZSTD_compress2(context.get(), out.data(), out.size(), content.data(), content.size());
  if (ZSTD_isError(size) != 0) return fail(Errc::internal, std::string("zstd: ") + ZSTD_getErrorName(size));
  out.resize(size);
  return out;
}

}  // namespace berth::patch
