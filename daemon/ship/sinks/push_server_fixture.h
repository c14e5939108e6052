#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <zlib.h>

#include "core/io/http_reader.h"
#include "core/io/raw_peer.h"

namespace berth::ship {

/// What gzip made of it.
inline std::string gunzip(const std::string& bytes) {
  z_stream stream{};
  EXPECT_EQ(::inflateInit2(&stream, 15 + 16), Z_OK);
  std::string out(16u << 20, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(::inflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  ::inflateEnd(&stream);
  return out;
}

/// A request as a server saw it.
struct Seen {
  std::string method, target, body;
  io::Headers headers;
  int connection = 0;
};

inline std::string reply(int status, const std::string& body = {}, const std::string& headers = {}) {
  return "HTTP/1.1 " + std::to_string(status) + " X\r\n" + headers + (status == 204 ? "" : "Content-Length: " + std::to_string(body.size()) + "\r\n") + "\r\n" + body;
}

/// A server that keeps connections, and answers each request as it is told; an empty answer closes.
class PushServer {
 public:
  using Answer = std::function<std::string(const Seen&)>;
  explicit PushServer(Answer answer) : answer_(std::move(answer)), peer_([this](int connection) { serve(connection); }) {}

  std::string url() const { return "http://127.0.0.1:" + std::to_string(peer_.port()); }
  std::vector<Seen> seen() {
    const std::lock_guard lock(mutex_);
    return seen_;
  }

 private:
  void serve(int connection) {
    ++connections_;
    std::string buffer;
    while (true) {
      io::RequestReader reader({.most_body = 16u << 20});
      while (!reader.done()) {
        if (const auto flaw = reader.take(buffer)) {
          ADD_FAILURE() << flaw.what;
          return;
        }
        if (reader.done()) break;
        char piece[65536];
        const ssize_t got = ::recv(connection, piece, sizeof piece, 0);
        if (got <= 0) return;
        buffer.append(piece, static_cast<std::size_t>(got));
      }
      Seen seen{.method = reader.method, .target = reader.target, .body = reader.body, .headers = reader.headers, .connection = connections_};
      if (seen.headers["content-encoding"] == "gzip") seen.body = gunzip(seen.body);
      {
        const std::lock_guard lock(mutex_);
        seen_.push_back(seen);
      }
      const std::string answer = answer_(seen);
      if (answer.empty()) return;
      io::send_raw(connection, answer);
      if (answer.find("Connection: close") != std::string::npos) return;
    }
  }

  Answer answer_;
  std::mutex mutex_;
  std::vector<Seen> seen_;
  int connections_ = 0;
  io::RawPeer peer_;  // last: its thread uses the others
};

}  // namespace berth::ship
