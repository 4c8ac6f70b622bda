VALUE = 'local base64'
