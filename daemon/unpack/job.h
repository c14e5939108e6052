#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/bundle/layer.h"
#include "core/result.h"

namespace berth::unpack {

/// The descriptors an unpack worker is given, and no others.
inline constexpr int kJob = 0;       ///< the job, to read
inline constexpr int kProgress = 1;  ///< a byte for every MiB of tar
inline constexpr int kWords = 2;     ///< one line that says why it gave up
inline constexpr int kBlob = 3;      ///< the layer's or patch's blob, verified, to read
inline constexpr int kTarget = 4;    ///< an empty folder, its whole file system
inline constexpr int kScratch = 5;   ///< of a patch alone: a file to read and write, as long as it needs to be
inline constexpr int kTar = 5;       ///< of a layer that is poured: the pipe into which its tar goes

/// What the exit status of a worker claims. berthd believes none of it; it only picks the error's kind by it.
enum class Claim : int { done = 0, refused = 1, no_space = 2, system = 3 };

/// A frame of a patch. What it refers to stands at the front of the scratch file; what it holds comes behind that, at `content_place`; and behind that, at
/// `made_place`, what that makes where it is a script.
struct PatchFrame {
  std::uint64_t offset = 0;   ///< in the blob
  std::uint64_t size = 0;     ///< compressed
  std::uint64_t base = 0;     ///< bytes of what it refers to
  std::uint64_t content = 0;  ///< bytes that come out
  std::uint64_t made = 0;     ///< the content is a script that makes so many bytes of the base; 0: it is none

  bool operator==(const PatchFrame&) const = default;
};

/// Where in the scratch file the content of a frame begins that refers to `base` bytes, and what that makes: each on a page of its own.
constexpr std::uint64_t content_place(std::uint64_t base) { return (base + 0xffff) / 0x10000 * 0x10000; }
constexpr std::uint64_t made_place(std::uint64_t base, std::uint64_t content) { return content_place(content_place(base) + content); }

/// Bytes of a share of tar that nobody needs.
struct Gap {
  std::uint64_t at = 0;
  std::uint64_t size = 0;

  bool operator==(const Gap&) const = default;
};

/// What a worker is to do: decode these frames, one after the other, and pour their tar into `kTar`, or, where its errors are to be told, write its entries into
/// its folder; or decode one frame of a patch, and leave what comes out in the scratch file. Where others pour the rest of the same layer, its share of the frames' tar are the
/// `take` bytes behind the first `drop`.
struct Job {
  std::vector<bundle::Frame> frames;
  bool pour = false;
  std::uint64_t drop = 0;
  std::uint64_t take = 0;             ///< 0: up to the end of the frames
  std::vector<Gap> gaps{};            ///< of the share, in their order: they are not poured
  std::optional<PatchFrame> patch{};  ///< instead of frames; nothing else of the job is looked at then

  bool operator==(const Job&) const = default;
};

/// As the worker reads it: a line each, `frame OFFSET SIZE TAR_SIZE`, `pour`, `share DROP TAKE`, `gap AT SIZE` or `patch OFFSET SIZE BASE CONTENT MADE`, and
/// `end`.
std::string to_text(const Job& job);

/// Reads that form. A job without its `end` fails, as one does whose sender was killed.
Result<Job> parse_job(std::string_view text);

}  // namespace berth::unpack
