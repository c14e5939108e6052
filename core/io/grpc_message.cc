#include "core/io/grpc_message.h"

#include <cstdint>
#include <optional>

#include <fmt/core.h>

namespace berth::io {
namespace {

constexpr std::size_t kGrpcPrefix = 5;  // compressed or not, and a length

// Wire types of Protocol Buffers (protobuf.dev/programming-guides/encoding).
constexpr std::uint64_t kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5;

void put_varint(std::string& out, std::uint64_t number) {
  for (; number >= 0x80; number >>= 7) out.push_back(static_cast<char>(number | 0x80));
  out.push_back(static_cast<char>(number));
}

std::string with_prefix(const std::string& message) {
  const auto size = static_cast<std::uint32_t>(message.size());
  std::string out(1, '\0');
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(size >> shift));
  return out + message;
}

/// Takes a varint from the head of `bytes`; nothing where it is cut off or longer than 64 bits.
std::optional<std::uint64_t> take_varint(std::string_view& bytes) {
  std::uint64_t number = 0;
  for (int at = 0; at < 10 && !bytes.empty(); ++at) {
    const auto byte = static_cast<unsigned char>(bytes.front());
    bytes.remove_prefix(1);
    if (at == 9 && byte > 1) return std::nullopt;
    number |= std::uint64_t{byte & 0x7fu} << (7 * at);
    if (byte < 0x80) return number;
  }
  return std::nullopt;
}

bool skip(std::string_view& bytes, std::uint64_t count) {
  if (count > bytes.size()) return false;
  bytes.remove_prefix(static_cast<std::size_t>(count));
  return true;
}

bool skip_value(std::string_view& bytes, std::uint64_t wire_type) {
  if (wire_type == kVarint) return take_varint(bytes).has_value();
  if (wire_type == kFixed64) return skip(bytes, 8);
  if (wire_type == kFixed32) return skip(bytes, 4);
  const auto size = wire_type == kBytes ? take_varint(bytes) : std::nullopt;
  return size && skip(bytes, *size);
}

}  // namespace

std::string_view to_string(Serving serving) {
  switch (serving) {
    case Serving::unknown: return "UNKNOWN";
    case Serving::serving: return "SERVING";
    case Serving::not_serving: return "NOT_SERVING";
    case Serving::service_unknown: return "SERVICE_UNKNOWN";
  }
  return "UNKNOWN";
}

std::string health_request(std::string_view service) {
  std::string message;
  if (!service.empty()) {  // field 1, a string; its default is not written
    message.push_back(static_cast<char>(1 << 3 | kBytes));
    put_varint(message, service.size());
    message += service;
  }
  return with_prefix(message);
}

Result<Serving> read_health_response(std::string_view bytes) {
  if (bytes.size() < kGrpcPrefix) return fail(Errc::protocol, "its answer is no gRPC message");
  if (bytes[0] != 0) return fail(Errc::protocol, "its answer is compressed, which was not asked for");
  std::uint64_t size = 0;
  for (std::size_t i = 1; i < kGrpcPrefix; ++i) size = size << 8 | static_cast<unsigned char>(bytes[i]);
  bytes.remove_prefix(kGrpcPrefix);
  if (size != bytes.size()) return fail(Errc::protocol, fmt::format("its answer has {} bytes and says that it has {}", bytes.size(), size));
  std::uint64_t status = 0;
  while (!bytes.empty()) {
    const auto tag = take_varint(bytes);
    if (!tag || *tag >> 3 == 0) return fail(Errc::protocol, "its answer is no HealthCheckResponse");
    if (*tag != (1 << 3 | kVarint)) {
      if (!skip_value(bytes, *tag & 7)) return fail(Errc::protocol, "its answer is no HealthCheckResponse");
      continue;
    }
    const auto value = take_varint(bytes);
    if (!value) return fail(Errc::protocol, "its answer is no HealthCheckResponse");
    status = *value;
  }
  return status <= static_cast<std::uint64_t>(Serving::service_unknown) ? static_cast<Serving>(status) : Serving::unknown;
}

}  // namespace berth::io
