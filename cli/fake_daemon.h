#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <fmt/core.h>

#include "core/io/http.h"
#include "core/io/loop.h"

namespace berth::cli {

/// A berthd that answers from a script, on a socket of its own, in a thread of its own.
class FakeDaemon {
 public:
  struct Answer {
    int status = 200;
    std::string body;
    std::chrono::milliseconds after{0};  ///< so long after it was asked
  };
  struct Asked {
    std::string method, path, body;
    std::map<std::string, std::string> query;
    io::Headers headers;
  };

  FakeDaemon() {
    std::string name = (std::filesystem::temp_directory_path() / "berth-api-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
    folder_ = name;
    server_ = std::make_unique<io::HttpServer>(loop_.executor(), [this](io::ServerRequest request) { return handle(std::move(request)); });
    if (const auto listening = server_->listen_unix(socket(), 0600, static_cast<gid_t>(-1)); !listening)
      throw std::runtime_error(listening.error().message);
    thread_ = std::thread([this] { loop_.run(); });
  }
  ~FakeDaemon() {
    loop_.post([this] { server_.reset(); loop_.stop(); });
    thread_.join();
    std::filesystem::remove_all(folder_);
  }

  std::string socket() const { return folder_ / "api.sock"; }

  /// The answers to "GET /v1/status", one after the other; the last one stays.
  void on(const std::string& call, std::vector<Answer> answers) {
    const std::lock_guard lock(mutex_);
    script_[call] = {std::move(answers), 0};
  }
  void on(const std::string& call, std::string body, int status = 200) { on(call, {Answer{status, std::move(body)}}); }

  /// Everything that was asked so far.
  std::vector<Asked> asked() {
    const std::lock_guard lock(mutex_);
    return asked_;
  }

 private:
  struct Script {
    std::vector<Answer> answers;
    std::size_t next = 0;
  };

  boost::asio::awaitable<io::ServerReply> handle(io::ServerRequest request) {
    std::chrono::milliseconds after{0};
    std::unique_lock lock(mutex_);
    asked_.push_back({request.method, request.path, request.body, request.query, request.headers});
    io::ServerReply reply;
    const auto found = script_.find(request.method + " " + request.path);
    if (found == script_.end()) {
      reply.status = 404;
      reply.body = fmt::format(R"({{"code": "not_found", "exit": 3, "status": 404, "detail": "{}: not in the script"}})", request.path);
    } else {
      Script& script = found->second;
      const Answer& answer = script.answers[std::min(script.next++, script.answers.size() - 1)];
      reply.status = answer.status;
      reply.body = answer.body;
      after = answer.after;
    }
    lock.unlock();
    if (after.count() > 0) co_await io::sleep_for(after);
    co_return reply;
  }

  std::filesystem::path folder_;
  std::mutex mutex_;
  std::map<std::string, Script> script_;
  std::vector<Asked> asked_;
  io::Loop loop_;
  std::unique_ptr<io::HttpServer> server_;
  std::thread thread_;
};

}  // namespace berth::cli
