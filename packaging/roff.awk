# What the man pages share that awk makes.

# As roff takes it.
function safe(text,    made, i, c) {
  made = ""
  for (i = 1; i <= length(text); ++i) {
    c = substr(text, i, 1)
    if (c == "\\") made = made "\\e"
    else if (c == "-") made = made "\\-"
    else made = made ((c == "." || c == "'") && i == 1 ? "\\&" : "") c
  }
  return made
}
