#include "daemon/log_feed.h"

#include <optional>
#include <stop_token>

#include "core/logs/log_watch.h"
#include "core/logs/record_json.h"

namespace berth {
namespace {

constexpr std::size_t kPiece = 128u << 10;       ///< bytes that are told at once
constexpr std::chrono::milliseconds kTurn{200};  ///< of reading, until others who read have theirs

}  // namespace

struct FileLogFeed::State {
  std::optional<logs::LogWatch> watch;
  std::optional<logs::LogReader> reader;
  std::stop_token stop;
  io::Steady::time_point until = io::Steady::time_point::max();  ///< of the present turn

  bool is_over() const { return stop.stop_requested() || io::Steady::now() >= until; }
};

FileLogFeed::FileLogFeed(io::Pool& pool, std::shared_ptr<State> state) : pool_(pool), state_(std::move(state)) {}
FileLogFeed::~FileLogFeed() = default;

boost::asio::awaitable<Result<std::shared_ptr<api::LogFeed>>> FileLogFeed::open(io::Pool& pool, std::filesystem::path root, logs::LogQuery query) {
  auto state = std::make_shared<State>();
  std::stop_source stop;
  state->stop = stop.get_token();
  query.filter.give_up = [its = std::weak_ptr(state)] {
    const auto known = its.lock();
    return known && known->is_over();
  };
  const auto begin = [root = std::move(root), asked = std::move(query), state]() -> Result<void> {
    if (asked.follow) {
      // Watching comes first, so that nothing falls between.
      BERTH_TRY(state->watch, logs::LogWatch::open(root, asked.selector));
    }
    BERTH_TRY(state->reader, logs::LogReader::open(root, asked));
    return {};
  };
  const auto begun = co_await pool.run(begin, stop);
  if (!begun) co_return pass(begun.error());
  co_return std::shared_ptr<api::LogFeed>(new FileLogFeed(pool, std::move(state)));
}

boost::asio::awaitable<Result<api::LogFeed::Piece>> FileLogFeed::next() {
  std::stop_source stop;
  const auto read = [state = state_, token = stop.get_token()]() -> Result<Piece> {
    state->stop = token;
    state->until = io::Steady::now() + kTurn;
    Piece piece;
    while (piece.lines.size() < kPiece) {
      const auto record = state->reader->next();
      if (!record && record.error().code == Errc::cancelled) return piece;
      if (!record) return pass(record.error());
      piece.is_last = !*record;
      if (piece.is_last) break;
      piece.lines += json::text(logs::to_json(**record, state->reader->instance((*record)->source))) + "\n";
    }
    return piece;
  };
  auto piece = co_await pool_.run(read, stop);
  co_return piece;
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
