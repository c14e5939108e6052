#pragma once

#include <filesystem>
#include <memory>

#include "core/io/loop.h"
#include "daemon/api/api.h"

namespace berth {

/// Logs as they are read from files, on a pool's threads, and on for as long as they are followed.
class FileLogFeed final : public api::LogFeed {
 public:
  /// Errors of `logs::LogReader::open`.
  static boost::asio::awaitable<Result<std::shared_ptr<api::LogFeed>>> open(io::Pool& pool, std::filesystem::path root, logs::LogQuery query);
  ~FileLogFeed() override;

  boost::asio::awaitable<Result<Piece>> next() override;
  boost::asio::awaitable<Result<bool>> grown(std::chrono::milliseconds at_most) override;

 private:
  struct State;
  FileLogFeed(io::Pool& pool, std::shared_ptr<State> state);

  io::Pool& pool_;
  std::shared_ptr<State> state_;  ///< also of work that is under way when this goes
};

}  // namespace berth
