#include <utility>

#include "tests/tools/forge/parts.h"

namespace berth::forge {
namespace {

constexpr std::uint64_t kBomb = 256u << 20;

/// The honest tar's index over frames that are something else.
Kind frame_kind(std::string release, std::string path, std::string rule, std::function<std::vector<Piece>(const std::string& tar)> make) {
  return {std::move(release), std::move(path), std::move(rule), [frames = std::move(make)](const Base& base, const std::string& id) {
            return release_with(base, id, layer_of(honest_entries(), frames(honest_tar().end())));
          }};
}

/// One frame, of changed bytes.
Kind bytes_kind(std::string release, std::string rule, std::function<std::string(const std::string& tar)> make) {
  return frame_kind(std::move(release), "frame at byte 0", std::move(rule),
                    [bytes = std::move(make)](const std::string& tar) { return std::vector<Piece>{{bytes(tar), tar.size()}}; });
}

std::string changed(std::string text, std::size_t at, char bits) {
  text[at] = static_cast<char>(text[at] ^ bits);
  return text;
}

/// A tar of many frames in which one file is said to be all zeros; `piece` is the frame that each but the first has.
Forged large_file(const Base& base, const std::string& release, const std::string& piece) {
  constexpr std::uint64_t kFrames = 4;
  bundle::Entry large = bundle::file_entry("zeros", "");
  large.size = kFrames * bundle::kFrame - bundle::kTarEnd - bundle::kTarBlock;
  const std::string head = bundle::HandMadeTar().add(large).text();
  std::vector<Piece> pieces{{zstd_frame(head + std::string(bundle::kFrame - head.size(), '\0')), bundle::kFrame}};
  while (pieces.size() < kFrames) pieces.push_back({piece, bundle::kFrame});
  return release_with(base, release, layer_of({large}, pieces));
}

/// Says the window's size in its header, and nothing of its content's.
std::string frame_of_window(std::string_view tar, int log) {
  std::string frame = zstd_frame(tar);
  frame[5] = static_cast<char>((log - 10) << 3);
  return frame;
}

}  // namespace

std::vector<Kind> frame_kinds() {
  const std::string skippable("\x50\x2a\x4d\x18\x04\0\0\0evil", 12);
  return {
      bytes_kind("frame-bomb", "more in it than", [](const std::string&) { return frame_of_zeros(kBomb); }),
      {"frame-bomb-in-the-middle", "frame at byte", "more in it than",
       [](const Base& base, const std::string& id) { return large_file(base, id, frame_of_zeros(kBomb)); }},
      {"frame-zeros-of-another-content", "zeros", "another content",
       [](const Base& base, const std::string& id) { return large_file(base, id, zstd_frame(std::string(bundle::kFrame, '\0'))); }},
      bytes_kind("frame-more", "more in it than", [](const std::string& tar) { return zstd_frame(tar + "x"); }),
      bytes_kind("frame-less", "not the", [](const std::string& tar) { return zstd_frame(tar.substr(0, tar.size() - 1)); }),
      bytes_kind("frame-cut", "cut off",
                 [](const std::string& tar) {
                   const auto frame = zstd_frame(tar);
                   return frame.substr(0, frame.size() - 6);
                 }),
      bytes_kind("frame-tail", "before its bytes do", [](const std::string& tar) { return zstd_frame(tar) + "evil"; }),
      bytes_kind("frame-twice", "before its bytes do", [](const std::string& tar) { return zstd_frame(tar) + zstd_frame(tar); }),
      bytes_kind("frame-skippable-before", "", [=](const std::string& tar) { return skippable + zstd_frame(tar); }),
      bytes_kind("frame-skippable-after", "before its bytes do", [=](const std::string& tar) { return zstd_frame(tar) + skippable; }),
      bytes_kind("frame-skippable-alone", "", [=](const std::string&) { return skippable; }),
      bytes_kind("frame-with-dictionary", "cannot be decoded",
                 [](const std::string& tar) { return zstd_frame(tar, {.dictionary = tar.substr(0, 1024) + "#!/bin/sh\nhello\n"}); }),
      bytes_kind("frame-window-of-128-mib", "cannot be decoded", [](const std::string& tar) { return frame_of_window(tar, 27); }),
      bytes_kind("frame-window-of-1-tib", "cannot be decoded", [](const std::string& tar) { return frame_of_window(tar, 40); }),
      bytes_kind("frame-window-of-16-mib", "cannot be decoded", [](const std::string& tar) { return zstd_frame(tar, {.window_log = 24}); }),
      bytes_kind("frame-checksum", "cannot be decoded",
                 [](const std::string& tar) {
                   const auto frame = zstd_frame(tar);
                   return changed(frame, frame.size() - 1, 1);
                 }),
      bytes_kind("frame-magic", "cannot be decoded", [](const std::string& tar) { return changed(zstd_frame(tar), 0, 1); }),
      bytes_kind("frame-old-format", "cannot be decoded", [](const std::string& tar) { return "\x27\xb5\x2f\xfd" + zstd_frame(tar).substr(4); }),
      bytes_kind("frame-reserved-bit", "cannot be decoded", [](const std::string& tar) { return changed(zstd_frame(tar), 4, 8); }),
      bytes_kind("frame-of-nonsense", "cannot be decoded", [](const std::string&) { return std::string(1000, 'x'); }),
      bytes_kind("frame-gzip", "cannot be decoded", [](const std::string&) { return "\x1f\x8b\x08" + std::string(100, '\0'); }),
      bytes_kind("frame-plain-tar", "cannot be decoded", [](const std::string& tar) { return tar; }),
  };
}

}  // namespace berth::forge
