#include "core/exec_frame.h"

#include <algorithm>
#include <csignal>
#include <cstring>

#include <fmt/core.h>

namespace berth::exec_frame {
namespace {

constexpr std::size_t kHead = 5;
constexpr std::size_t kMostMessage = 2000;

void put(std::string& to, std::uint64_t value, int bytes) {
  for (int i = bytes - 1; i >= 0; --i) to += static_cast<char>(value >> (8 * i) & 0xff);
}

std::uint64_t number_at(std::string_view bytes, std::size_t at, int size) {
  std::uint64_t value = 0;
  for (int i = 0; i < size; ++i) value = value << 8 | static_cast<unsigned char>(bytes[at + static_cast<std::size_t>(i)]);
  return value;
}

std::unexpected<Error> wrong(const Frame& frame) {
  return fail(Errc::protocol, fmt::format("a frame of kind {} has {} bytes, which do not fit it", static_cast<int>(frame.kind), frame.bytes.size()));
}

}  // namespace

std::string text(Kind kind, std::string_view bytes) {
  std::string frame;
  frame.reserve(kHead + bytes.size());
  put(frame, static_cast<std::uint8_t>(kind), 1);
  put(frame, bytes.size(), 4);
  return frame.append(bytes);
}

std::string resize_text(std::uint16_t rows, std::uint16_t columns) {
  std::string bytes;
  put(bytes, rows, 2);
  put(bytes, columns, 2);
  return text(Kind::resize, bytes);
}

std::string room_text(std::uint32_t more) {
  std::string bytes;
  put(bytes, more, 4);
  return text(Kind::room, bytes);
}

std::string end_text(const End& end) {
  std::string bytes;
  put(bytes, static_cast<std::uint32_t>(end.exit), 4);
  return text(Kind::end, bytes + end.message.substr(0, kMostMessage));
}

Result<std::optional<Frame>> take(std::string& buffer) {
  if (buffer.size() < kHead) return std::nullopt;
  const auto kind = static_cast<std::uint8_t>(buffer[0]);
  const std::uint64_t size = number_at(buffer, 1, 4);
  if (kind > static_cast<std::uint8_t>(Kind::end)) return fail(Errc::protocol, fmt::format("there is no kind {} of frames", kind));
  if (size > kMostBytes) return fail(Errc::protocol, fmt::format("a frame of {} bytes is longer than {}", size, kMostBytes));
  if (buffer.size() < kHead + size) return std::nullopt;
  Frame frame{.kind = static_cast<Kind>(kind), .bytes = buffer.substr(kHead, size)};
  buffer.erase(0, kHead + size);
  return frame;
}

Result<std::pair<std::uint16_t, std::uint16_t>> size_of(const Frame& frame) {
  if (frame.bytes.size() != 4) return wrong(frame);
  return std::pair(static_cast<std::uint16_t>(number_at(frame.bytes, 0, 2)), static_cast<std::uint16_t>(number_at(frame.bytes, 2, 2)));
}

Result<std::uint32_t> room_of(const Frame& frame) {
  if (frame.bytes.size() != 4) return wrong(frame);
  return static_cast<std::uint32_t>(number_at(frame.bytes, 0, 4));
}

Result<End> end_of(const Frame& frame) {
  if (frame.bytes.size() < 4) return wrong(frame);
  return End{.exit = static_cast<int>(static_cast<std::int32_t>(number_at(frame.bytes, 0, 4))), .message = frame.bytes.substr(4)};
}

Result<int> signal_of(const Frame& frame) {
  for (int number = 1; number < NSIG; ++number)
    if (const char* name = ::sigabbrev_np(number); name != nullptr && frame.bytes == name) return number;
  return fail(Errc::protocol, "a frame names no signal: it is such as TERM");
}

}  // namespace berth::exec_frame
