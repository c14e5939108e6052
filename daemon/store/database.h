#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace berth::store {

/// A prepared statement: bind in order, then step through its rows. A failure is kept and told by `step`.
class Statement {
 public:
  Statement(sqlite3* database, sqlite3_stmt* statement);
  ~Statement();
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&&) = delete;

  Statement& bind(std::string_view text);
  Statement& bind(std::int64_t number);

  /// True where there is a row.
  Result<bool> step();

  std::string text(int column) const;
  std::int64_t integer(int column) const;

 private:
  sqlite3* database_;
  sqlite3_stmt* statement_;
  int next_ = 1;
  int failure_ = 0;
};

/// What is wrong with the file of a database, in a line; empty: it is whole. Fails where that cannot be told.
Result<std::string> damage_of(const std::filesystem::path& path);

/// An SQLite database in WAL mode: a commit is on the disk when it returns, foreign keys hold.
class Database {
 public:
  static Result<Database> open(const std::filesystem::path& path);
  /// For looking alone: it makes and changes nothing in it. `Errc::not_found` where there is none.
  static Result<Database> open_to_read(const std::filesystem::path& path);

  /// Copies all of it, as it is at a moment, into the file `path`, while others may write. What becomes of that is one file, without a journal.
  Result<void> copy_to(const std::filesystem::path& path);

  /// Runs statements without results.
  Result<void> execute(const std::string& sql);

  Result<Statement> prepare(std::string_view sql);

  /// Runs one statement, with its values, to its end.
  template <class... Values>
  Result<void> run(std::string_view sql, const Values&... values) {
    BERTH_TRY(Statement statement, prepare(sql));
    (statement.bind(values), ...);
    while (true) {
      BERTH_TRY(const bool row, statement.step());
      if (!row) return {};
    }
  }

  /// What `read` makes of every row.
  template <class Read, class... Values>
  auto rows(std::string_view sql, Read read, const Values&... values)
      -> Result<std::vector<decltype(read(std::declval<const Statement&>()))>> {
    std::vector<decltype(read(std::declval<const Statement&>()))> found;
    BERTH_TRY(Statement statement, prepare(sql));
    (statement.bind(values), ...);
    while (true) {
      BERTH_TRY(const bool row, statement.step());
      if (!row) return found;
      found.push_back(read(statement));
    }
  }

  /// What `read` makes of the first row, if there is one.
  template <class Read, class... Values>
  auto row(std::string_view sql, Read read, const Values&... values)
      -> Result<std::optional<decltype(read(std::declval<const Statement&>()))>> {
    using Value = decltype(read(std::declval<const Statement&>()));
    BERTH_TRY(auto found, rows(sql, read, values...));
    if (found.empty()) return std::optional<Value>();
    return std::optional<Value>(std::move(found.front()));
  }

  /// The number a pragma or a `SELECT` of one number gives; 0 without a row.
  Result<std::int64_t> number(std::string_view sql);

  std::int64_t last_row() const;      ///< the row id the last INSERT gave
  std::int64_t rows_changed() const;  ///< by the last statement

 private:
  struct Close {
    void operator()(sqlite3* database) const;
  };
  explicit Database(sqlite3* database) : database_(database) {}
  std::unique_ptr<sqlite3, Close> database_;
};

/// Changes that happen together or, unless `commit` is reached, not at all.
class Transaction {
 public:
  static Result<Transaction> begin(Database& database);
  ~Transaction();
  Transaction(Transaction&& other) noexcept : database_(std::exchange(other.database_, nullptr)) {}
  Transaction& operator=(Transaction&&) = delete;

  Result<void> commit();

 private:
  explicit Transaction(Database* database) : database_(database) {}
  Database* database_;
};

}  // namespace berth::store
