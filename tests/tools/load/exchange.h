#pragma once

#include <cstdint>
#include <string>
#include <utility>

namespace load {

/// What became of one request.
struct Outcome {
  std::int64_t opened_ns = 0;  ///< wall clock when it began, with connecting where there was no connection
  std::int64_t ended_ns = 0;
  std::string release;         ///< the answer's X-Release; empty where it failed
  std::string failure;         ///< why, such as "connect: Connection refused"; empty where it did not
};

/// What a client is like.
enum class Client {
  one_shot,    ///< a connection for each request
  keep_alive,  ///< a connection for many; a request whose reused connection closed before the first byte of the answer is repeated once (RFC 9110, 9.2.2)
  slow,        ///< a connection for each request, which is written and whose answer is read a few bytes at a time
};

/// Asks 127.0.0.1:`port`, one GET after the other. `limit_ms` bounds every step.
class Asker {
 public:
  Asker(Client client, std::uint16_t port, std::string path, int limit_ms) : client_(client), port_(port), path_(std::move(path)), limit_ms_(limit_ms) {}
  ~Asker() { close(); }
  Asker(const Asker&) = delete;
  Asker& operator=(const Asker&) = delete;

  Outcome ask();

 private:
  void close();
  std::string connect();
  std::string send_request() const;
  std::string receive(std::string& answer) const;
  std::string converse(std::string& answer);

  const Client client_;
  const std::uint16_t port_;
  const std::string path_;
  const int limit_ms_;
  int fd_ = -1;
};

}  // namespace load
