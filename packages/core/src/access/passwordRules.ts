/** Which passwords are taken. */

const minLength = 12
const maxLength = 256

/** Of lists of the most common passwords, those that are long enough. */
const worst: ReadonlySet<string> = new Set([
  "123456789012",
  "1234567890123",
  "12345678901234",
  "123456789123",
  "1234567891011",
  "123123123123",
  "012345678910",
  "0123456789012",
  "098765432109",
  "987654321098",
  "abcdefghijkl",
  "abcdefghijklmnopqrstuvwxyz",
  "abcd12345678",
  "abc123abc123",
  "administrator",
  "administrator1",
  "adminadminadmin",
  "admin1234567",
  "changemechangeme",
  "changemenow1",
  "correcthorsebatterystaple",
  "correct horse battery staple",
  "defaultpassword",
  "iloveyou1234",
  "iloveyouforever",
  "letmeinletmein",
  "modelforge123",
  "modelforgemodelforge",
  "passw0rd1234",
  "password1234",
  "password12345",
  "password123456",
  "password123!",
  "passwordpassword",
  "p@ssw0rd1234",
  "qazwsxedcrfv",
  "qwerty123456",
  "qwerty1234567",
  "qwerty12345678",
  "qwertyuiop12",
  "qwertyuiop123",
  "qwertyuiopasdfghjkl",
  "qwertyqwerty",
  "secretsecret",
  "trustno1trustno1",
  "welcome12345",
  "zaq12wsxcde3",
])

/** Why a password is not taken; undefined when it is. Length counts characters, after NFKC. */
export const passwordFlaw = (password: string, email: string): string | undefined => {
  const text = password.length > maxLength * 4 ? undefined : password.normalize("NFKC")
  const length = text === undefined ? maxLength + 1 : [...text].length
  if (text === undefined || length > maxLength)
    return `The password is too long: it may have ${maxLength} characters`
  if (length < minLength) return `The password is too short: it needs ${minLength} characters`
  const lower = text.toLowerCase()
  if (lower === email.normalize("NFKC")) return "The password is the email address: choose another"
  return worst.has(lower) || new Set(lower).size < 4
    ? "The password is among the first that anybody would try: choose another"
    : undefined
}
