#include "daemon/keeper/clock.h"

namespace berth::keeper {
namespace {

void digits(char* to, int count, int64_t value) {
  for (int i = count - 1; i >= 0; i--, value /= 10) to[i] = static_cast<char>('0' + value % 10);
}

/// -1 where one is none.
int64_t number(const char* from, int count) {
  int64_t value = 0;
  for (int i = 0; i < count; i++) {
    if (from[i] < '0' || from[i] > '9') return -1;
    value = value * 10 + (from[i] - '0');
  }
  return value;
}

}  // namespace

void write_timestamp(char* to, const timespec& time) {
  const int64_t days = time.tv_sec / 86400, second = time.tv_sec % 86400;
  // The civil calendar in years that begin in March, so that the leap day is the last: 400 years have 146,097 days.
  const int64_t shifted = days + 719468, era = shifted / 146097, day_of_era = shifted % 146097;
  const int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const int64_t month_from_march = (5 * day_of_year + 2) / 153;
  const int64_t month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;

  digits(to, 4, year_of_era + era * 400 + (month <= 2 ? 1 : 0));
  to[4] = '-';
  digits(to + 5, 2, month);
  to[7] = '-';
  digits(to + 8, 2, day_of_year - (153 * month_from_march + 2) / 5 + 1);
  to[10] = 'T';
  digits(to + 11, 2, second / 3600);
  to[13] = ':';
  digits(to + 14, 2, second / 60 % 60);
  to[16] = ':';
  digits(to + 17, 2, second % 60);
  to[19] = '.';
  digits(to + 20, 9, time.tv_nsec);
  to[29] = 'Z';
}

int64_t read_timestamp(const char* text) {
  const int64_t year = number(text, 4), month = number(text + 5, 2), day = number(text + 8, 2);
  const int64_t hour = number(text + 11, 2), minute = number(text + 14, 2), second = number(text + 17, 2);
  if (year < 0 || month < 1 || month > 12 || day < 1 || hour < 0 || minute < 0 || second < 0 || text[4] != '-' || text[10] != 'T') return -1;
  const int64_t shifted = month <= 2 ? year - 1 : year, era = shifted / 400, year_of_era = shifted % 400;
  const int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  const int64_t days = era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
  return ((days * 24 + hour) * 60 + minute) * 60 + second;
}

}  // namespace berth::keeper
