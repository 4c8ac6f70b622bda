NAME = "beside common"
