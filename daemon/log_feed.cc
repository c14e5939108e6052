#include "daemon/log_feed.h"

#include <optional>

#include "core/logs/log_watch.h"
#include "core/logs/record_json.h"

namespace berth {
namespace {

constexpr std::size_t kPiece = 128u << 10;  ///< bytes that are told at once

}  // namespace

struct FileLogFeed::State {
  std::optional<logs::LogWatch> watch;
  std::optional<logs::LogReader> reader;
};

FileLogFeed::FileLogFeed(io::Pool& pool, std::shared_ptr<State> state) : pool_(pool), state_(std::move(state)) {}
FileLogFeed::~FileLogFeed() = default;

boost::asio::awaitable<Result<std::shared_ptr<api::LogFeed>>> FileLogFeed::open(io::Pool& pool, std::filesystem::path root, logs::LogQuery query) {
  const auto begin = [root = std::move(root), asked = std::move(query)]() -> Result<std::shared_ptr<State>> {
    auto state = std::make_shared<State>();
    if (asked.follow) {
      // Watching comes first, so that nothing falls between.
      BERTH_TRY(state->watch, logs::LogWatch::open(root, asked.selector));
    }
    BERTH_TRY(state->reader, logs::LogReader::open(root, asked));
    return state;
  };
  auto state = co_await pool.run(begin);
  if (!state) co_return pass(state.error());
  co_return std::shared_ptr<api::LogFeed>(new FileLogFeed(pool, std::move(*state)));
}

boost::asio::awaitable<Result<std::string>> FileLogFeed::next() {
  const auto read = [state = state_]() -> Result<std::string> {
    std::string lines;
    while (lines.size() < kPiece) {
      BERTH_TRY(const auto record, state->reader->next());
      if (!record) break;
      lines += json::text(logs::to_json(*record, state->reader->instance(record->source))) + "\n";
    }
    return lines;
  };
  auto lines = co_await pool_.run(read);
  co_return lines;
}

boost::asio::awaitable<Result<bool>> FileLogFeed::grown(std::chrono::milliseconds at_most) {
  if (!state_->watch) co_return false;
  const int descriptor = state_->watch->descriptor();
  const auto readable = co_await io::wait_readable(descriptor, at_most);
  if (!readable || !*readable) co_return readable;
  const auto look = [state = state_]() -> Result<bool> {
    BERTH_TRY(const bool changed, state->watch->wait(std::chrono::milliseconds(0)));
    if (changed) BERTH_CHECK(state->reader->wake());
    return changed;
  };
  auto changed = co_await pool_.run(look);
  co_return changed;
}

}  // namespace berth
