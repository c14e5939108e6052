#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/result.h"

/// What a connection speaks that was upgraded to `berth-exec`: the files of a one-off command, its signals and its end, in frames (docs/formats.md).
namespace berth::exec_frame {

inline constexpr std::string_view kProtocol = "berth-exec";
inline constexpr std::size_t kMostBytes = 64u << 10;     ///< of one frame
inline constexpr std::size_t kWindow = 256u << 10;       ///< bytes of stdin that may be sent at first; `room` lets more come
inline constexpr int kAliveEvery = 15, kSilence = 60;    ///< seconds: each side says something so often, and takes the other one for gone after that long without a word

enum class Kind : std::uint8_t {
  in = 0,       ///< to the command; an empty one is the end of its stdin
  out = 1,      ///< what it wrote to stdout, or to its terminal
  err = 2,
  resize = 3,   ///< to its terminal: `{u16 rows, u16 columns}`
  signal = 4,   ///< to its process group: `TERM`
  room = 5,     ///< from the node: `{u32}` further bytes of stdin may be sent
  alive = 6,    ///< nothing else was to be said
  unwanted = 7, ///< of stdout (1) or stderr (2), a byte: nobody reads it any more
  begun = 8,    ///< from the node: the command has its terminal, and keys that mean a signal reach it
  end = 9       ///< from the node, last: `{i32 exit}` and what there is to say besides
};

struct Frame {
  Kind kind = Kind::alive;
  std::string bytes;
};

/// How a command ended, as a shell would tell it.
struct End {
  int exit = 0;
  std::string message;
};

/// Ready to be sent: `{u8 kind, u32 length}`, most significant byte first, and the bytes, of which there are at most kMostBytes.
std::string text(Kind kind, std::string_view bytes = {});
std::string resize_text(std::uint16_t rows, std::uint16_t columns);
std::string room_text(std::uint32_t bytes);
std::string end_text(const End& end);

/// Takes the first frame off `buffer`; nothing where it is not whole yet. `Errc::protocol` for what is none.
Result<std::optional<Frame>> take(std::string& buffer);

// What is in a frame. `Errc::protocol` where that does not fit its kind.
Result<std::pair<std::uint16_t, std::uint16_t>> size_of(const Frame& frame);
Result<std::uint32_t> room_of(const Frame& frame);
Result<End> end_of(const Frame& frame);
/// The number of a signal. SIGKILL is one, SIGSTOP as well.
Result<int> signal_of(const Frame& frame);

}  // namespace berth::exec_frame
