#include "core/io/grpc_call.h"

#include <charconv>
#include <cstring>
#include <optional>
#include <utility>

#include <fmt/core.h>
#include <nghttp2/nghttp2.h>

#include "core/io/http_text.h"

namespace berth::io {
namespace {

constexpr std::size_t kMostAnswer = 64u << 10, kMostFields = 16u << 10, kMostSaid = 200;

std::optional<int> number_in(std::string_view text) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

nghttp2_nv field(std::string_view name, std::string_view value) {
  const auto bytes = [](std::string_view text) { return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data())); };  // nghttp2 copies them
  return {bytes(name), bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
}

/// Percent-decoded, as gRPC writes its messages; one printable line.
std::string one_line(std::string_view text) {
  std::string line = percent_decode(text).value_or(std::string(text)).substr(0, kMostSaid);
  for (char& c : line)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  return line;
}

}  // namespace

struct GrpcCall::State {
  nghttp2_session* session = nullptr;
  std::string message;          ///< not yet sent
  std::int32_t stream = -1;
  std::size_t fields = 0;       ///< bytes of all of them
  int http_status = 0;
  std::string content_type, body, said;
  std::optional<int> grpc_status;
  bool closed = false;
  std::uint32_t reset = 0;      ///< why the stream ended, an error of HTTP/2; 0: well
  std::string too_much;         ///< why no more is taken
  bool heard = false;           ///< anything

  ~State() { nghttp2_session_del(session); }

  static State& of(void* user) { return *static_cast<State*>(user); }

  static int on_header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name_bytes, std::size_t name_size, const std::uint8_t* value_bytes,
                       std::size_t value_size, std::uint8_t, void* user) {
    State& state = of(user);
    if (frame->hd.stream_id != state.stream) return 0;
    state.fields += name_size + value_size;
    if (state.fields > kMostFields) {
      state.too_much = "its answer has too many headers";
      return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    const std::string_view name(reinterpret_cast<const char*>(name_bytes), name_size), value(reinterpret_cast<const char*>(value_bytes), value_size);
    if (name == ":status") state.http_status = number_in(value).value_or(0);
    if (name == "content-type") state.content_type = value;
    if (name == "grpc-status") state.grpc_status = number_in(value).value_or(2);  // UNKNOWN
    if (name == "grpc-message") state.said = one_line(value);
    return 0;
  }

  static int on_data(nghttp2_session*, std::uint8_t, std::int32_t stream, const std::uint8_t* bytes, std::size_t size, void* user) {
    State& state = of(user);
    if (stream != state.stream) return 0;
    if (size > kMostAnswer - state.body.size()) {
      state.too_much = fmt::format("its answer is longer than {} bytes", kMostAnswer);
      return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    state.body.append(reinterpret_cast<const char*>(bytes), size);
    return 0;
  }

  static int on_close(nghttp2_session*, std::int32_t stream, std::uint32_t error, void* user) {
    State& state = of(user);
    if (stream != state.stream) return 0;
    state.closed = true;
    state.reset = error;
    return 0;
  }

  static ssize_t read_message(nghttp2_session*, std::int32_t, std::uint8_t* into, std::size_t room, std::uint32_t* flags, nghttp2_data_source*, void* user) {
    State& state = of(user);
    const std::size_t count = std::min(room, state.message.size());
    std::memcpy(into, state.message.data(), count);
    state.message.erase(0, count);
    if (state.message.empty()) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return static_cast<ssize_t>(count);
  }

  /// False where there is no memory.
  bool open() {
    nghttp2_session_callbacks* callbacks = nullptr;
    if (nghttp2_session_callbacks_new(&callbacks) != 0) return false;
    nghttp2_session_callbacks_set_on_header_callback(callbacks, &on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, &on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, &on_close);
    const int failed = nghttp2_session_client_new(&session, callbacks, this);
    nghttp2_session_callbacks_del(callbacks);
    return failed == 0;
  }
};

GrpcCall::GrpcCall(std::string authority, std::string path, std::string message, std::chrono::milliseconds timeout) : state_(std::make_unique<State>()) {
  state_->message = std::move(message);
  if (!state_->open()) return;
  const nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_ENABLE_PUSH, 0}, {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, kMostFields}};
  nghttp2_submit_settings(state_->session, NGHTTP2_FLAG_NONE, settings, 2);
  const std::string limit = fmt::format("{}m", std::max<std::int64_t>(timeout.count(), 1));
  const nghttp2_nv head[] = {field(":method", "POST"),   field(":scheme", "http"), field(":path", path),           field(":authority", authority),
                             field("te", "trailers"),    field("content-type", "application/grpc"), field("user-agent", "berth/" BERTH_VERSION),
                             field("grpc-timeout", limit)};
  nghttp2_data_provider provider{};
  provider.read_callback = &State::read_message;
  state_->stream = nghttp2_submit_request(state_->session, nullptr, head, std::size(head), &provider, nullptr);
}

GrpcCall::~GrpcCall() = default;

Result<std::string> GrpcCall::to_send() {
  if (state_->session == nullptr || state_->stream < 0) return fail(Errc::internal, "HTTP/2: no memory");
  std::string bytes;
  for (;;) {
    const std::uint8_t* piece = nullptr;
    const ssize_t size = nghttp2_session_mem_send(state_->session, &piece);
    if (size < 0) return fail(Errc::protocol, fmt::format("HTTP/2: {}", nghttp2_strerror(static_cast<int>(size))));
    if (size == 0) return bytes;
    bytes.append(reinterpret_cast<const char*>(piece), static_cast<std::size_t>(size));
  }
}

Result<void> GrpcCall::take(std::string_view bytes) {
  if (state_->session == nullptr) return fail(Errc::internal, "HTTP/2: no memory");
  // To nghttp2 that would be a frame that is too long.
  if (!std::exchange(state_->heard, true) && bytes.starts_with("HTTP/1.")) return fail(Errc::protocol, "it does not speak HTTP/2 as gRPC does, but HTTP/1");
  const ssize_t taken = nghttp2_session_mem_recv(state_->session, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  if (!state_->too_much.empty()) return fail(Errc::protocol, state_->too_much);
  if (taken < 0) return fail(Errc::protocol, fmt::format("it does not speak HTTP/2 as gRPC does: {}", nghttp2_strerror(static_cast<int>(taken))));
  return {};
}

bool GrpcCall::done() const { return state_->closed || (state_->session != nullptr && nghttp2_session_want_read(state_->session) == 0); }

Result<GrpcCall::Answer> GrpcCall::answer() const {
  const State& state = *state_;
  if (!state.closed) return fail(Errc::protocol, "it ended the connection instead of answering");
  if (state.http_status != 0 && state.http_status != 200) return fail(Errc::protocol, fmt::format("it answers {} by HTTP: no gRPC listens at that port", state.http_status));
  if (state.reset != 0) return fail(Errc::protocol, fmt::format("it broke the call off: {}", nghttp2_http2_strerror(state.reset)));
  if (state.grpc_status) return Answer{.status = *state.grpc_status, .message = state.said, .body = state.body};
  return fail(Errc::protocol, state.content_type.starts_with("application/grpc") ? "its answer has no status" : "it answers by HTTP, and not by gRPC");
}

}  // namespace berth::io
